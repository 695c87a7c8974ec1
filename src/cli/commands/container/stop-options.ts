import type { Flags } from '../../flags/parse.ts';

/** What `stop` and `restart` are told of how to end a container; `--time` is the older name of `--timeout` (seconds). */
export function stopOptions(flags: Flags): { timeout: number | undefined; signal: string | undefined } {
  const given = ['timeout', 'time'].find((name) => flags.changed(name));
  return {
    timeout: given === undefined ? undefined : flags.number(given),
    signal: flags.changed('signal') ? flags.string('signal') : undefined,
  };
}
