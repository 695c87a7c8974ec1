/** One event as a line of JSON. */

import type { EngineEvent } from '../../core/events.ts';
import { hasFlatEventFields, type ApiVersion } from '../versions.ts';

/** `status`, `id` and `from` repeat the structured fields for clients older than those. */
function flatFields(event: EngineEvent): object {
  if (event.type !== 'container' && event.type !== 'image') return {};
  const from = event.type === 'container' ? event.attributes['image'] : undefined;
  return { status: event.action, id: event.actorId, ...(from === undefined ? {} : { from }) };
}

export function encodeEvent(event: EngineEvent, version: ApiVersion): string {
  const body = JSON.stringify({
    ...(hasFlatEventFields(version) ? flatFields(event) : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: 'local',
    time: Number(event.timeNano / 1_000_000_000n),
  });
  // Nanoseconds do not fit a JavaScript number; as text every digit stays.
  return `${body.slice(0, -1)},"timeNano":${event.timeNano}}`;
}
