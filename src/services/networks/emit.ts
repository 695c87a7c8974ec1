/** Events of networks, with Docker's attributes. */

import type { NetworkRecord } from '../../core/model/network.ts';
import type { NetworksDeps } from './deps.ts';

export function emitNetwork(
  room: Pick<NetworksDeps, 'events'>,
  network: NetworkRecord,
  action: 'create' | 'destroy' | 'connect' | 'disconnect',
  containerId?: string,
): void {
  const container: Record<string, string> = containerId === undefined ? {} : { container: containerId };
  room.events.emit({
    type: 'network',
    action,
    actorId: network.id,
    attributes: { ...container, name: network.name, type: network.driver },
  });
}
