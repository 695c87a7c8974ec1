/** `attach`. */
import { DEFAULT_KEYS } from '../../attach/detach-keys.ts';
import { checkTty } from '../../attach/check-tty.ts';
import { followSize } from '../../attach/resize.ts';
import { runSession } from '../../attach/session.ts';
import { forwardSignals } from '../../attach/signals.ts';
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError, EXIT_OK } from '../../exit.ts';
import type { ContainerInspect } from '../../../client/index.ts';

function checkState({ State }: ContainerInspect): void {
  if (!State.Running) throw new CliError('You cannot attach to a stopped container, start it first');
  if (State.Paused) throw new CliError('You cannot attach to a paused container, unpause it first');
  if (State.Restarting)
    throw new CliError('You cannot attach to a restarting container, wait until it is running');
}

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client, config }) {
    const container = await client().containers.inspect(args[0] ?? '');
    checkState(container);
    const { Id: id, Config } = container;
    const tty = Config.Tty ?? false;
    const stdin = !flags.bool('no-stdin') && (Config.OpenStdin ?? false);
    checkTty(io, stdin, tty);
    const detachKeys = flags.string('detach-keys') || (config().detachKeys ?? '');
    const waiting = await client().containers.wait(id);
    const stream = await client().containers.attach(id, {
      stdin,
      stdout: true,
      stderr: true,
      detachKeys: detachKeys === '' ? undefined : detachKeys,
    });
    const stopSize = tty ? followSize(io, (size) => client().containers.resize(id, size)) : () => undefined;
    const stopSignals = flags.bool('sig-proxy') && !tty ? forwardSignals(io, client(), id) : () => undefined;
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
    if (end.kind === 'detached') {
      io.stderr.write('read escape sequence\n');
      return EXIT_OK;
    }
    return end.kind === 'signal' ? end.exitCode : (await waiting.result).StatusCode;
  },
};
