/** `rmi`, `image rm`. */
import { ApiError } from '../../../client/index.ts';
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const errors: string[] = [];
    let fatal = false;
    for (const name of args) {
      try {
        const removed = await client().images.remove(name, {
          force: flags.bool('force'),
          noPrune: flags.bool('no-prune'),
          ...(flags.list('platform').length === 0 ? {} : { platforms: flags.list('platform') }),
        });
        for (const item of removed) {
          io.stdout.write(
            item.Deleted !== undefined && item.Deleted !== ''
              ? `Deleted: ${item.Deleted}\n`
              : `Untagged: ${item.Untagged ?? ''}\n`,
          );
        }
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) fatal = true;
        errors.push(errorText(error));
      }
    }
    if (errors.length === 0) return;
    // What is not there need not be removed: --force makes that a success.
    if (flags.bool('force') && !fatal) io.stderr.write(`${errors.join('\n')}\n`);
    else throw new CliError(errors.join('\n'));
  },
};
