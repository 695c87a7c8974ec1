/** `stats`. */
import type { EventMessage } from '../../../client/index.ts';
import { anyArgs, type CommandContext, type CommandModule } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import type { Sink } from '../../io.ts';
import { writeListing } from '../../render/listing.ts';
import { STATS_TABLE, STATS_TITLES, type StatsAnswer, statsRow } from '../../render/stats.ts';
import { shortId } from '../../render/units.ts';

/** Milliseconds between two pictures. */
const INTERVAL = 500;

async function first(values: AsyncGenerator<unknown, void, undefined>): Promise<StatsAnswer | undefined> {
  for await (const value of values) return value as StatsAnswer;
  return undefined;
}

function draw(
  { io, flags, config }: CommandContext,
  answers: ReadonlyMap<string, StatsAnswer | undefined>,
  out: Sink,
): void {
  const rows = [...answers].map(([name, answer]) => statsRow(name, answer, !flags.bool('no-trunc')));
  const format = flags.string('format') || (config().statsFormat ?? '');
  if (!io.stdout.isTerminal || flags.bool('no-stream')) {
    writeListing(out, { format, table: STATS_TABLE, titles: STATS_TITLES, rows });
    return;
  }
  let text = '';
  const buffer: Sink = {
    ...out,
    isTerminal: true,
    size: () => out.size(),
    write: (part) => void (text += Buffer.from(part as string).toString('utf8')),
  };
  writeListing(buffer, { format, table: STATS_TABLE, titles: STATS_TITLES, rows });
  // Draw over the last picture instead of clearing first, which would flicker.
  out.write(`\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[J`);
}

async function once(c: CommandContext, names: readonly string[]): Promise<void> {
  const { client } = c;
  const errors: string[] = [];
  const answers = new Map<string, StatsAnswer | undefined>();
  await Promise.all(
    names.map(async (name) => {
      answers.set(name, undefined);
      try {
        answers.set(name, await first(await client().containers.stats(name, false)));
      } catch (error) {
        answers.delete(name);
        errors.push(errorText(error));
      }
    }),
  );
  if (errors.length > 0) throw new CliError(errors.join('\n'));
  draw(c, answers, c.io.stdout);
}

/** Follows one container into `answers` until it is gone or `signal` fires. */
async function follow(
  { client }: CommandContext,
  name: string,
  answers: Map<string, StatsAnswer | undefined>,
  signal: AbortSignal,
): Promise<void> {
  answers.set(name, undefined);
  try {
    for await (const value of await client().containers.stats(name, true, signal))
      answers.set(name, value as StatsAnswer);
  } finally {
    answers.delete(name);
  }
}

/** Adds containers that start later, when all were asked for. */
async function watch(c: CommandContext, add: (name: string) => void, signal: AbortSignal): Promise<void> {
  const events = await c
    .client()
    .system.events({ filters: { type: ['container'], event: ['start'] }, signal });
  for await (const text of events) add(shortId((JSON.parse(text) as EventMessage).Actor.ID));
}

async function stream(c: CommandContext, names: readonly string[], all: boolean): Promise<void> {
  const stop = new AbortController();
  const answers = new Map<string, StatsAnswer | undefined>();
  const add = (name: string): Promise<void> => follow(c, name, answers, stop.signal);
  const unlisten = c.io.onSignals(['SIGINT', 'SIGTERM'], () => stop.abort());
  if (c.io.stdout.isTerminal) c.io.stdout.write('\u001b[2J');
  const timer = setInterval(() => draw(c, answers, c.io.stdout), INTERVAL);
  try {
    const running = names.map(add);
    const watching = all ? watch(c, (name) => void add(name).catch(() => undefined), stop.signal) : undefined;
    const settled = await Promise.allSettled(running);
    await watching?.catch(() => undefined);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined && !stop.signal.aborted && !all) throw new CliError(errorText(failed.reason));
  } finally {
    clearInterval(timer);
    unlisten();
  }
}

export const command: CommandModule = {
  args: anyArgs,
  async run(c) {
    const { flags, args, client } = c;
    const all = args.length === 0;
    const names = all
      ? (await client().containers.list({ all: flags.bool('all') })).map((container) => shortId(container.Id))
      : args;
    await (flags.bool('no-stream') ? once(c, names) : stream(c, names, all));
  },
};
