/** `checkpoint ls`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { writeListing } from '../../render/listing.ts';
import { Struct } from '../../../template/index.ts';

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args: [container = ''], client }) {
    const directory = flags.string('checkpoint-dir');
    const checkpoints = await client().containers.listCheckpoints(
      container,
      directory === '' ? undefined : directory,
    );
    writeListing(io.stdout, {
      format: '',
      table: '{{.Name}}',
      titles: { Name: 'CHECKPOINT NAME' },
      rows: checkpoints.map(({ Name }) => new Struct('*checkpoint.context', { Name: () => Name })),
    });
  },
};
