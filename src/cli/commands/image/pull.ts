/** `pull`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { pullImage } from '../../pull-image.ts';
import { parseName } from '../../reference-name.ts';
import { showProgress } from '../../render/progress.ts';
import type { Sink } from '../../io.ts';

const NOWHERE = (out: Sink): Sink => ({
  ...out,
  isTerminal: false,
  size: () => out.size(),
  write: () => undefined,
});

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client, config }) {
    const name = parseName(args[0] ?? '');
    const allTags = flags.bool('all-tags');
    const quiet = flags.bool('quiet');
    if (allTags && (name.tag !== undefined || name.digest !== undefined)) {
      throw new CliError("tag can't be used with --all-tags/-a");
    }
    const noTag = !allTags && name.tag === undefined && name.digest === undefined;
    if (noTag && !quiet) io.stdout.write('Using default tag: latest\n');
    const platform = flags.string('platform') || io.env['DOCKER_DEFAULT_PLATFORM'];
    const messages = await pullImage(client(), config(), { name, platform, allTags });
    await showProgress(messages, quiet ? NOWHERE(io.stdout) : io.stdout);
    const tag = name.tag === undefined ? '' : `:${name.tag}`;
    const digest = name.digest === undefined ? '' : `@${name.digest}`;
    io.stdout.write(`${name.full}${noTag ? ':latest' : tag}${digest}\n`);
  },
};
