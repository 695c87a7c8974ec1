import type { EventBus } from '../../core/events.ts';
import type { ContainerRecord } from '../../core/model/container.ts';

/** Emits a container event with Docker's attributes: all labels, then image and name, then what the action adds. */
export function emitContainer(
  room: { readonly events: EventBus },
  record: ContainerRecord,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  room.events.emit({
    type: 'container',
    action,
    actorId: record.id,
    attributes: { ...record.config.Labels, image: record.imageRef, name: record.name, ...extra },
  });
}
