/** `stop`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEachAtOnce } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const given = ['timeout', 'time'].find((name) => flags.changed(name));
    const options = {
      timeout: given === undefined ? undefined : flags.number(given),
      signal: flags.changed('signal') ? flags.string('signal') : undefined,
    };
    await forEachAtOnce(
      args,
      (id) => client().containers.stop(id, options),
      (id) => io.stdout.write(`${id}\n`),
    );
  },
};
