/** `tag`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { parseName } from '../../reference-name.ts';

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ args, client }) {
    const [source = '', target = ''] = args;
    let name;
    try {
      name = parseName(target);
    } catch (error) {
      throw new CliError(
        `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${reason(error)}`,
      );
    }
    if (name.digest !== undefined) throw new CliError('refusing to create a tag with a digest reference');
    await client().images.tag(source, name.full, name.tag ?? 'latest');
  },
};
