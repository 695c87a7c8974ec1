/** Errors of `run` with docker's frame around them. */
import { CliError } from '../exit.ts';
import { errorText } from '../failure.ts';

export function runFailure(path: string, error: unknown, exitCode: number, hint?: string): CliError {
  if (error instanceof CliError && error.message === '') return error;
  const below = hint === undefined ? '' : `\n\n${hint}`;
  return new CliError(
    `slipway: ${errorText(error)}${below}\n\nRun 'slipway ${path} --help' for more information`,
    exitCode,
  );
}
