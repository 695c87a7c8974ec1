import type { ImageRecord } from '../../core/model/image.ts';
import type { Room } from './deps.ts';

/** An image event in Docker's form: labels and the name are attributes. `actorId` defaults to the image's id. */
export function emitImage(
  room: Pick<Room, 'events'>,
  action: string,
  record: ImageRecord | undefined,
  name: string,
  actorId = record?.id ?? name,
): void {
  const labels = record?.config.config?.Labels ?? {};
  room.events.emit({ type: 'image', action, actorId, attributes: { ...labels, name } });
}
