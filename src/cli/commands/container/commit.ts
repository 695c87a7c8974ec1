/** `commit`. */
import { type CommandModule, rangeArgs } from '../../command.ts';
import { parseName } from '../../reference-name.ts';

export const command: CommandModule = {
  args: rangeArgs(1, 2),
  async run({ io, flags, args, client }) {
    const [container = '', name] = args;
    const parsed = name === undefined ? undefined : parseName(name);
    const text = (flag: string): string | undefined =>
      flags.string(flag) === '' ? undefined : flags.string(flag);
    const { Id } = await client().containers.commit({
      container,
      repo: parsed?.full,
      tag: parsed?.tag,
      comment: text('message'),
      author: text('author'),
      changes: flags.list('change'),
      pause: flags.bool('pause'),
    });
    io.stdout.write(`${Id}\n`);
  },
};
