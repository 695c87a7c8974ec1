/** `top`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { alignColumns } from '../../render/table.ts';

export const command: CommandModule = {
  args: minArgs(1),
  interspersed: false,
  async run({ io, args, client }) {
    const [id = '', ...ps] = args;
    const top = await client().containers.top(id, ps.length === 0 ? undefined : ps.join(' '));
    const lines = [top.Titles ?? [], ...(top.Processes ?? [])].map((cells) => `${cells.join('\t')}\n`);
    io.stdout.write(alignColumns(lines.join(''), { minWidth: 20, padding: 3 }));
  },
};
