/** A terminal inside needs one outside. */
import { CliError } from '../exit.ts';
import type { Io } from '../io.ts';

export function checkTty(io: Io, attachStdin: boolean, tty: boolean): void {
  if (attachStdin && tty && !io.stdin.isTerminal) throw new CliError('the input device is not a TTY');
}
