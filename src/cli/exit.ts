/**
 * Every exit code of the CLI and the errors that carry them. Codes follow the docker CLI: scripts depend on them.
 */

export const EXIT_OK = 0;
/** Any failure that has no code of its own. */
export const EXIT_FAILURE = 1;
/** `run`, `create`, `start -a`: the engine or the CLI failed; also a wrong flag of any command. */
export const EXIT_ENGINE = 125;
/** The container's command was found but cannot be executed. */
export const EXIT_CANNOT_EXECUTE = 126;
/** The container's command was not found. */
export const EXIT_NOT_FOUND = 127;
/** 128 + SIGINT: the user broke off. */
export const EXIT_INTERRUPTED = 130;

/** An error whose message is for the user, printed as it is; an empty message prints nothing. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILURE) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** A wrong flag: printed with the usage line of the command. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** A wrong number of arguments. `footer` is the word docker begins the last line with. */
export class ArgumentError extends Error {
  readonly footer: 'Run' | 'See';

  constructor(message: string, footer: 'Run' | 'See') {
    super(message);
    this.name = 'ArgumentError';
    this.footer = footer;
  }
}

/**
 * Exit code of `run` and `start -a` for an error of the engine when starting: 127 when the command does not exist,
 * 126 when it cannot be executed, 125 for the rest. The words are those of the OCI runtimes and of the kernel.
 */
export function startErrorCode(message: string): number {
  const text = message.replace(/^Error response from daemon: /, '');
  if (/executable file not found|no such file or directory|system cannot find the file/.test(text)) {
    return EXIT_NOT_FOUND;
  }
  if (/permission denied|is a directory|exec format error|operation not permitted/i.test(text)) {
    return EXIT_CANNOT_EXECUTE;
  }
  return EXIT_ENGINE;
}
