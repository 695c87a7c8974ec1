/** `image copy`: Slipway's own. From registry to registry. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { parseName } from '../../reference-name.ts';
import { showProgress } from '../../render/progress.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ io, flags, args, client, config }) {
    const [from, to] = [args[0] ?? '', args[1] ?? ''];
    const authOf = (name: string): ReturnType<typeof findAuth> =>
      findAuth(config(), registryOf(parseName(name).full));
    const quiet = flags.bool('quiet');
    let digest = '';
    const onAux = (aux: unknown): void => {
      digest = (aux as { readonly Digest?: string }).Digest ?? digest;
    };
    const messages = await client().images.copy({
      from,
      to,
      platform: flags.string('platform') || undefined,
      fromAuth: authOf(from),
      toAuth: authOf(to),
    });
    const silent = { ...io.stdout, isTerminal: false, size: () => io.stdout.size(), write: () => undefined };
    await showProgress(messages, quiet ? silent : io.stdout, onAux);
    if (quiet) io.stdout.write(`${digest}\n`);
  },
};
