/** `events`. */
import type { EventMessage } from '../../../client/index.ts';
import { apiTime } from '../../api-time.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { parseFilters } from '../../filters.ts';
import { localNanoTime } from '../../render/units.ts';
import { compile, Struct, type Template } from '../../../template/index.ts';

/** Nanoseconds as the text has them: as a number they would be rounded. */
function nanoseconds(text: string, event: EventMessage): bigint {
  const digits = /"timeNano":\s*(\d+)/.exec(text)?.[1];
  return digits === undefined || digits === '0' ? BigInt(event.time) * 1_000_000_000n : BigInt(digits);
}

function eventLine(text: string): string {
  const event = JSON.parse(text) as EventMessage;
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  const shown = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  return `${localNanoTime(nanoseconds(text, event))} ${event.Type} ${event.Action} ${event.Actor.ID}${shown}\n`;
}

/** The event as Go's type names its parts; old names of fields stay usable. */
function eventValue(text: string): Struct {
  const event = JSON.parse(text) as EventMessage & { status?: string; id?: string; from?: string };
  return new Struct('events.Message', {
    Type: () => event.Type,
    Action: () => event.Action,
    Actor: () => ({ ID: event.Actor.ID, Attributes: event.Actor.Attributes ?? {} }),
    Scope: () => event.scope ?? '',
    Time: () => event.time,
    TimeNano: () => Number(nanoseconds(text, event)),
    Status: () => event.status ?? event.Action,
    ID: () => event.id ?? event.Actor.ID,
    From: () => event.from ?? event.Actor.Attributes?.['image'] ?? '',
  });
}

function formatter(format: string): (text: string) => string {
  if (format === '') return eventLine;
  if (format === 'json' || /^\{\{\s*json \.\s*\}\}$/.test(format)) return (text) => `${text}\n`;
  let template: Template;
  try {
    template = compile(format);
  } catch (error) {
    throw new CliError(`Error parsing format: ${error instanceof Error ? error.message : String(error)}`, 64);
  }
  return (text) => `${template.render(eventValue(text))}\n`;
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const show = formatter(flags.string('format'));
    const [since, until] = [flags.string('since'), flags.string('until')];
    const events = await client().system.events({
      ...(since === '' ? {} : { since: apiTime(since, io.now(), 'since') }),
      ...(until === '' ? {} : { until: apiTime(until, io.now(), 'until') }),
      filters: parseFilters(flags.list('filter')),
    });
    for await (const text of events) io.stdout.write(show(text));
  },
};
