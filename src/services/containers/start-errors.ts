/** From what an OCI runtime says about a failed start to Docker's words and exit codes. Pure. */

import { conflict, internal, invalid, type SlipwayError } from '../../core/errors.ts';

export interface StartFailure {
  readonly error: SlipwayError;
  /** Exit code that the container's state then shows: 127 not found, 126 not executable, 128 anything else. */
  readonly exitCode: number;
}

/** Said before any runtime is asked. */
const logDriverWords = 'failed to initialize logging driver: ';

const prefix = (runtime: string): string =>
  `failed to create task for container: failed to create shim task: OCI runtime create failed: ${runtime} create failed: `;

/** `/proc/PID/attr/exec`, `attr/apparmor/exec`: where the runtime writes the profile that the command shall have. */
const profileAttribute = /\/attr\/(apparmor\/)?exec\b/;

/** What happened to the command, in the words of runc; undefined when the failure is about something else. */
export function commandFailure(
  text: string,
  command: string,
): { readonly detail: string; readonly exitCode: number } | undefined {
  const lower = text.toLowerCase();
  const aboutCommand = /\bexec(ve|utable)?\b/.test(lower);
  if (!aboutCommand || profileAttribute.test(lower)) return undefined;
  const at = `exec: "${command}": `;
  if (lower.includes('permission denied') || lower.includes('is a directory')) {
    return { detail: `${at}permission denied`, exitCode: 126 };
  }
  if (lower.includes('exec format error')) return { detail: `${at}exec format error`, exitCode: 126 };
  if (
    lower.includes('not found in $path') ||
    lower.includes('executable file not found') ||
    lower.includes('no such file or directory')
  ) {
    const why = command.includes('/')
      ? `stat ${command}: no such file or directory`
      : 'executable file not found in $PATH';
    return { detail: at + why, exitCode: 127 };
  }
  return undefined;
}

/** An error of the runtime about a start, as the API tells it. */
export function startFailure(error: Error, command: string, runtime: string): StartFailure {
  if (error.message.startsWith('OCI runtime restore failed: ')) {
    return { error: internal(error.message, error), exitCode: 128 };
  }
  if (/^the start of container \w+ was cancelled$/.test(error.message))
    return { error: conflict(error.message, error), exitCode: 128 };
  // The runtime room tells what it knows in these very words already.
  const text = error.message
    .replace(/^failed to create task .*? create failed: \S+ create failed: /, '')
    .replace(/: unknown$/, '');
  if (text.startsWith(logDriverWords)) {
    return { error: internal(`failed to create task for container: ${text}`, error), exitCode: 128 };
  }
  const known = commandFailure(text, command);
  if (known !== undefined) {
    const message = `${prefix(runtime)}unable to start container process: ${known.detail}: unknown`;
    return { error: invalid(message, error), exitCode: known.exitCode };
  }
  if (profileAttribute.test(text)) {
    const why = text.slice(text.lastIndexOf(': ') + 2).toLowerCase();
    const detail = `unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: ${why}`;
    const message = `${prefix(runtime)}unable to start container process: error during container init: ${detail}: unknown`;
    return { error: internal(message, error), exitCode: why.includes('no such file') ? 127 : 128 };
  }
  if (/not a directory/i.test(text)) {
    const hint =
      ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type';
    return { error: invalid(`${prefix(runtime)}${text}: unknown${hint}`, error), exitCode: 127 };
  }
  return { error: internal(`${prefix(runtime)}${text}: unknown`, error), exitCode: 128 };
}
