/** `load`. */
import fs from 'node:fs';
import { jsonValues, type ProgressMessage } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { readFileFrom, writeOut } from '../../output-file.ts';
import { showProgress } from '../../render/progress.ts';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const file = flags.string('input');
    if (file === '' && io.stdin.isTerminal)
      throw new CliError('requested load from stdin, but stdin is empty');
    if (file !== '' && !fs.existsSync(file)) throw new CliError(`open ${file}: no such file or directory`);
    const { json, body } = await client().images.load({
      stream: file === '' ? io.stdin.chunks() : readFileFrom(file),
      quiet: flags.bool('quiet') || !io.stdout.isTerminal,
      platform: flags.string('platform'),
    });
    await (json ? showProgress(jsonValues<ProgressMessage>(body), io.stdout) : writeOut(io.stdout, body));
  },
};
