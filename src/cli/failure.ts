/** Any error as the text that the user reads and the exit code. */
import { ApiError, ConnectError } from '../client/index.ts';
import { CliError, EXIT_FAILURE } from './exit.ts';

function connectText(error: ConnectError): string {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `Cannot connect to the Slipway daemon at ${error.endpoint}. Is the slipway daemon running?`;
    case 'EACCES':
      return (
        `permission denied while trying to connect to the Slipway daemon socket at ${error.endpoint}: ` +
        'run as root or join the group that owns the socket (usually "slipway")'
      );
    default:
      return `error during connect: ${error.endpoint}: ${error.message}`;
  }
}

/** The message for the user: errors of the engine are marked as such, as docker does. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError) return `Error response from daemon: ${error.message}`;
  if (error instanceof ConnectError) return connectText(error);
  return error instanceof Error ? error.message : String(error);
}

export function exitCodeOf(error: unknown): number {
  return error instanceof CliError ? error.exitCode : EXIT_FAILURE;
}

/** Runs `action` for each item, one after another; failures are told at the end, together, as docker does. */
export async function forEach(
  items: readonly string[],
  action: (item: string) => Promise<void>,
): Promise<void> {
  const errors: string[] = [];
  for (const item of items) {
    try {
      await action(item);
    } catch (error) {
      errors.push(errorText(error));
    }
  }
  if (errors.length > 0) throw new CliError(errors.join('\n'));
}

/** The same with all actions at once; `done` is called in the order of the items. */
export async function forEachAtOnce(
  items: readonly string[],
  action: (item: string) => Promise<void>,
  done: (item: string) => void,
): Promise<void> {
  const errors: string[] = [];
  const running = items.map((item) =>
    action(item).then(
      () => undefined,
      (error: unknown) => errorText(error),
    ),
  );
  for (const [at, item] of items.entries()) {
    const failed = await running[at];
    if (failed === undefined) done(item);
    else errors.push(failed);
  }
  if (errors.length > 0) throw new CliError(errors.join('\n'));
}
