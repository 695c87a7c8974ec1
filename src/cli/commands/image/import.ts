/** `import`. */
import fs from 'node:fs';
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { readFileFrom } from '../../output-file.ts';
import { showProgress } from '../../render/progress.ts';
import { parseName } from '../../reference-name.ts';

const isUrl = (text: string): boolean => /^https?:\/\//.test(text);

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const [source = '', reference] = args;
    if (reference !== undefined) parseName(reference);
    const remote = isUrl(source);
    if (!remote && source !== '-' && !fs.existsSync(source))
      throw new CliError(`open ${source}: no such file or directory`);
    const name = reference === undefined ? undefined : parseName(reference);
    const messages = await client().images.import({
      source: remote ? source : '-',
      repo: name === undefined ? undefined : reference,
      message: flags.string('message') === '' ? undefined : flags.string('message'),
      changes: flags.list('change'),
      platform: flags.string('platform') === '' ? undefined : flags.string('platform'),
      stream: remote ? undefined : source === '-' ? io.stdin.chunks() : readFileFrom(source),
    });
    await showProgress(messages, io.stdout);
  },
};
