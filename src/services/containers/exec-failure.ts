/** Why an exec did not start, in Docker's words and with its exit codes. */

import { constants as files } from 'node:fs';
import { internal, invalid, toSlipwayError, type SlipwayError } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { commandFailure } from './start-errors.ts';

/** Node does not name these two. With O_PATH nothing of the container's own making is asked to open. */
const pathOnly = 0o10000000;
const closeOnExec = 0o2000000;
const unstarted = 'OCI runtime exec failed: exec failed: ';
const ownWords = new RegExp(
  `^(unable to find |uids and gids |${unstarted}(unable to start container process: chdir|Cwd) )`,
);

const execError = (error: SlipwayError, command: string): { error: SlipwayError; exitCode: number } => {
  const known = commandFailure(error.message, command);
  if (known === undefined)
    return { error: internal(`${unstarted}${error.message}: unknown`, error), exitCode: 126 };
  return {
    error: invalid(`${unstarted}unable to start container process: ${known.detail}: unknown`, error),
    exitCode: known.exitCode,
  };
};

/** What a failed start is told as. Failures of the container's state, of a user or of a directory have their words already. */
export function startFailed(error: unknown, command: string): { error: SlipwayError; exitCode: number } {
  const own = toSlipwayError(error);
  if (own.kind === 'conflict' || ownWords.test(own.message)) return { error: own, exitCode: 126 };
  return execError(own, command);
}

/** Runtimes name a missing directory badly, or take it for a missing command. */
export async function checkWorkingDir(room: Room, record: ContainerRecord, path: string): Promise<void> {
  if (path === '') return;
  if (!path.startsWith('/')) throw internal(`${unstarted}Cwd must be an absolute path: unknown`);
  const flags = pathOnly | files.O_DIRECTORY | closeOnExec;
  try {
    room.host.closeFd(await room.host.openInRoot(`/proc/${record.state.pid}/root`, path, { flags }));
  } catch (error) {
    const code = (toSlipwayError(error).cause as { code?: unknown } | undefined)?.code;
    const why = code === 'ENOTDIR' ? 'not a directory' : 'no such file or directory';
    if (code !== 'ENOTDIR' && code !== 'ENOENT') throw error;
    throw invalid(
      `${unstarted}unable to start container process: chdir to cwd ("${path}") set in config.json failed: ${why}: unknown`,
    );
  }
}
