/** `start`. */
import { DEFAULT_KEYS } from '../../attach/detach-keys.ts';
import { followSize } from '../../attach/resize.ts';
import { runSession } from '../../attach/session.ts';
import { forwardSignals } from '../../attach/signals.ts';
import { type CommandContext, type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_OK } from '../../exit.ts';
import { errorText } from '../../failure.ts';

const given = (text: string): string | undefined => (text === '' ? undefined : text);

/** The checkpoint to go on from. */
const startFrom = (flags: CommandContext['flags']) => ({
  checkpoint: given(flags.string('checkpoint')),
  checkpointDir: given(flags.string('checkpoint-dir')),
});

async function startAttached({ io, flags, args, client, config }: CommandContext): Promise<number> {
  if (args.length > 1) throw new CliError('you cannot start and attach multiple containers at once');
  const container = await client().containers.inspect(args[0] ?? '');
  const { Id: id, Config, HostConfig } = container;
  const tty = Config.Tty ?? false;
  const stdin = flags.bool('interactive') && (Config.OpenStdin ?? false);
  const detachKeys = flags.string('detach-keys') || (config().detachKeys ?? '');
  const [stream, waiting] = await Promise.all([
    client().containers.attach(id, {
      stdin,
      stdout: true,
      stderr: true,
      detachKeys: detachKeys === '' ? undefined : detachKeys,
    }),
    client().containers.wait(id, HostConfig?.AutoRemove === true ? 'removed' : 'next-exit'),
  ]);
  await client()
    .containers.start(id, startFrom(flags))
    .catch((error: unknown) => {
      stream.destroy();
      throw error;
    });
  const stopSize = tty ? followSize(io, (size) => client().containers.resize(id, size)) : () => undefined;
  const stopSignals = tty ? () => undefined : forwardSignals(io, client(), id);
  const end = await runSession(io, {
    stream,
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: detachKeys || DEFAULT_KEYS,
  });
  stopSize();
  stopSignals();
  if (end.kind === 'detached') return EXIT_OK;
  return end.kind === 'signal' ? end.exitCode : (await waiting.result).StatusCode;
}

export const command: CommandModule = {
  args: minArgs(1),
  async run(c) {
    const { io, flags, args, client } = c;
    if (flags.bool('attach') || flags.bool('interactive')) return startAttached(c);
    if (flags.string('checkpoint') !== '') {
      if (args.length > 1) throw new CliError('you cannot restore multiple containers at once');
      await client().containers.start(args[0] ?? '', startFrom(flags));
      return EXIT_OK;
    }
    const failed: string[] = [];
    for (const id of args) {
      try {
        await client().containers.start(id, startFrom(flags));
        io.stdout.write(`${id}\n`);
      } catch (error) {
        io.stderr.write(`${errorText(error)}\n`);
        failed.push(id);
      }
    }
    if (failed.length > 0) throw new CliError(`Error: failed to start containers: ${failed.join(', ')}`);
    return EXIT_OK;
  },
};
