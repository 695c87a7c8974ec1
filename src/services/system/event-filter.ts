/** Docker's filters of events, compiled once a stream. Pure. */

import type { EngineEvent } from '../../core/events.ts';

type Filters = Readonly<Record<string, readonly string[]>>;
type Test = (event: EngineEvent) => boolean;

/** Kinds of object that a filter of the same name picks by id or name. */
const kinds = new Set([
  'builder',
  'config',
  'container',
  'daemon',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'volume',
]);

/** By id, name or the beginning of either, as with Docker. */
function names(event: EngineEvent, values: readonly string[]): boolean {
  const { actorId } = event;
  const name = event.attributes['name'];
  return values.some(
    (value) => value !== '' && (actorId.startsWith(value) || name?.startsWith(value) === true),
  );
}

/** `repo:tag` without the tag: `image=alpine` finds events of `alpine:3.7`. */
function withoutTag(reference: string): string {
  const colon = reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/') ? reference.slice(0, colon) : reference;
}

function matchesImage(event: EngineEvent, values: readonly string[]): boolean {
  const attribute = event.type === 'image' ? event.attributes['name'] : event.attributes['image'];
  const candidates = [event.type === 'image' ? event.actorId : '', attribute ?? ''];
  return candidates.some(
    (candidate) => candidate !== '' && (values.includes(candidate) || values.includes(withoutTag(candidate))),
  );
}

/** `health_status` finds `health_status: healthy`, `exec_start` finds `exec_start: ls`. */
function matchesAction(event: EngineEvent, values: readonly string[]): boolean {
  const short = event.action.split(':', 1)[0] ?? '';
  return values.some((value) => value === event.action || value === short);
}

function matchesLabel(event: EngineEvent, value: string): boolean {
  const equals = value.indexOf('=');
  const found = event.attributes[equals < 0 ? value : value.slice(0, equals)];
  return found !== undefined && (equals < 0 || found === value.slice(equals + 1));
}

/** Undefined for a filter of no meaning, which dockerd takes in silence. */
function testOf(name: string, values: readonly string[]): Test | undefined {
  switch (name) {
    case 'event':
      return (event) => matchesAction(event, values);
    case 'type':
      return (event) => values.includes(event.type);
    case 'scope':
      return () => values.includes('local');
    case 'label':
      return (event) => values.every((value) => matchesLabel(event, value));
    case 'image':
      return (event) => matchesImage(event, values);
    default:
      return kinds.has(name) ? (event) => event.type === name && names(event, values) : undefined;
  }
}

/** Values of one filter are alternatives, different filters must all hold. */
export function eventFilter(filters: Filters): Test {
  const tests: Test[] = [];
  for (const [name, values] of Object.entries(filters)) {
    const test = values.length > 0 ? testOf(name, values) : undefined;
    if (test !== undefined) tests.push(test);
  }
  return (event) => tests.every((test) => test(event));
}
