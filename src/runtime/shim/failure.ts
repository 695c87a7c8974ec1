import { internal, notFound, type SlipwayError } from '../../core/errors.ts';

export interface RuntimeFailure {
  readonly verb: 'create' | 'restore' | 'exec';
  /** `crun`, `runc`, ... */
  readonly runtime: string;
  /** argv[0] of the process. */
  readonly command: string;
  /** Exit status of the OCI runtime; 127 when it could not be run itself. */
  readonly status: number;
  /** What the runtime logged: JSON lines, or anything. */
  readonly text: string;
}

/** The last error among the JSON lines of a runtime's log; the text itself when there are none. */
export function lastMessage(text: string): string {
  let last = '';
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as { msg?: unknown; level?: unknown };
      if (typeof entry.msg === 'string' && (entry.level === 'error' || last === '')) last = entry.msg;
    } catch {
      // Not a JSON line: runtimes print some messages before their logger is set up.
    }
  }
  return (last || text).trim();
}

const missing = /executable file .*not found|no such file or directory/i;
const notExecutable = /permission denied|is a directory|operation not permitted|exec format error/i;

/** What is wrong with the command itself, in runc's words; undefined when something else failed. */
function commandProblem(failure: RuntimeFailure, message: string): string | undefined {
  const { command } = failure;
  // runc names the command itself; crun says "executable file `x` not found in $PATH" or "open executable: ...".
  const runcWords = /exec: (".*)$/.exec(message);
  if (runcWords) return `exec: ${runcWords[1]}`;
  const aboutExecutable = /^(executable file|open executable|exec container process|exec)\b/i.test(message);
  if (!aboutExecutable) return undefined;
  if (missing.test(message)) {
    return command.includes('/')
      ? `exec: "${command}": stat ${command}: no such file or directory`
      : `exec: "${command}": executable file not found in $PATH`;
  }
  if (!notExecutable.test(message)) return undefined;
  const why = /exec format error/i.test(message) ? 'exec format error' : 'permission denied';
  return `exec: "${command}": ${why}`;
}

/**
 * A runtime's failure in Docker's words: clients read them to choose 126 and 127. A command that is missing or cannot be executed
 * is `notFound`; everything else is `internal`.
 */
export function runtimeError(failure: RuntimeFailure): SlipwayError {
  const message = lastMessage(failure.text);
  if (failure.verb === 'restore') return internal(`OCI runtime restore failed: ${message}: unknown`);
  const prefix =
    failure.verb === 'create'
      ? `failed to create task for container: failed to create shim task: OCI runtime create failed: ${failure.runtime} create failed`
      : 'OCI runtime exec failed: exec failed';
  if (failure.status !== 127) {
    const problem = commandProblem(failure, message);
    if (problem) return notFound(`${prefix}: unable to start container process: ${problem}: unknown`);
  }
  const lowered = message.replace(
    /: ([A-Z])(?=[a-z])/g,
    (_all, letter: string) => `: ${letter.toLowerCase()}`,
  );
  return internal(`${prefix}: ${lowered}: unknown`);
}
