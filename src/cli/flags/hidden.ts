/** Flags that docker takes but does not list in its help: old names and ones for scripts. */
import type { FlagRow } from '../reference.ts';

const HELP: FlagRow = ['h', 'help', 'bool', 'Print usage'];
const OLD_RUN: readonly FlagRow[] = [
  ['', 'dns-opt', 'list', 'Set DNS options'],
  ['', 'net', 'network', 'Connect a container to a network'],
  ['', 'net-alias', 'list', 'Add network-scoped alias for the container'],
];
const OLD_STOP: readonly FlagRow[] = [['', 'time', 'int', 'Seconds to wait before killing the container']];

const HIDDEN: Readonly<Record<string, readonly FlagRow[]>> = {
  'volume create': [['', 'name', 'string', 'Specify volume name']],
  'container run': OLD_RUN,
  run: OLD_RUN,
  'container create': OLD_RUN,
  create: OLD_RUN,
  'container stop': OLD_STOP,
  stop: OLD_STOP,
  'container restart': OLD_STOP,
  restart: OLD_STOP,
};

/** The rows to parse with: those of the help, the hidden ones, and `--help` where it is not listed. */
export function withHidden(path: string, rows: readonly FlagRow[]): readonly FlagRow[] {
  const all = [...rows, ...(HIDDEN[path] ?? [])];
  if (all.some((row) => row[1] === 'help')) return all;
  const shortTaken = all.some((row) => row[0] === 'h');
  return [...all, shortTaken ? (['', ...HELP.slice(1)] as unknown as FlagRow) : HELP];
}
