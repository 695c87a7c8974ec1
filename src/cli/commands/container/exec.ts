/** `exec`. */
import { checkTty } from '../../attach/check-tty.ts';
import { DEFAULT_KEYS } from '../../attach/detach-keys.ts';
import { followSize } from '../../attach/resize.ts';
import { runSession } from '../../attach/session.ts';
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_OK, startErrorCode } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { collectEnv } from '../../key-values.ts';
import { RUN_CHECKS } from '../../run/checks.ts';
import type { CommandContext } from '../../command.ts';

function execBody({ io, flags, args }: CommandContext, detachKeys: string): Record<string, unknown> {
  const detach = flags.bool('detach');
  const tty = flags.bool('tty');
  const size = tty && io.stdout.isTerminal ? io.stdout.size() : undefined;
  return {
    User: flags.string('user'),
    Privileged: flags.bool('privileged'),
    Tty: tty,
    ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }),
    AttachStdin: !detach && flags.bool('interactive'),
    AttachStderr: !detach,
    AttachStdout: !detach,
    DetachKeys: detachKeys,
    Env: collectEnv(flags.list('env-file'), flags.list('env'), io.env),
    WorkingDir: flags.string('workdir'),
    Cmd: args.slice(1),
  };
}

async function runAttached(
  { io, flags, client }: CommandContext,
  id: string,
  detachKeys: string,
): Promise<number> {
  const tty = flags.bool('tty');
  const size = tty && io.stdout.isTerminal ? io.stdout.size() : undefined;
  const console = size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] };
  const stream = await client().exec.attach(id, { Detach: false, Tty: tty, ...console });
  const stop = tty ? followSize(io, (next) => client().exec.resize(id, next)) : () => undefined;
  const end = await runSession(io, {
    stream,
    tty,
    stdin: flags.bool('interactive'),
    stdout: true,
    stderr: true,
    detachKeys: detachKeys || DEFAULT_KEYS,
  });
  stop();
  if (end.kind === 'detached') return EXIT_OK;
  if (end.kind === 'signal') return end.exitCode;
  return (await client().exec.inspect(id)).ExitCode ?? EXIT_OK;
}

export const command: CommandModule = {
  args: minArgs(2),
  interspersed: false,
  checks: { env: RUN_CHECKS['env'] ?? (() => undefined) },
  async run(c) {
    const { io, flags, args, client, config } = c;
    const detachKeys = flags.string('detach-keys') || (config().detachKeys ?? '');
    if (!flags.bool('detach')) checkTty(io, flags.bool('interactive'), flags.bool('tty'));
    const { Id } = await client().exec.create(args[0] ?? '', execBody(c, detachKeys));
    if (Id === '') throw new CliError('exec ID empty');
    if (flags.bool('detach')) {
      await client().exec.start(Id, { Detach: true, Tty: flags.bool('tty') });
      return EXIT_OK;
    }
    try {
      return await runAttached(c, Id, detachKeys);
    } catch (error) {
      const text = errorText(error);
      const code = startErrorCode(text);
      throw code === 125 ? error : new CliError(text, code);
    }
  },
};
