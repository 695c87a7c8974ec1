/** `logs`. */
import { Demuxer } from '../../../client/index.ts';
import { type CommandModule, exactArgs } from '../../command.ts';
import { writeOut } from '../../output-file.ts';
import { apiTime } from '../../api-time.ts';

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client }) {
    const container = await client().containers.inspect(args[0] ?? '');
    const since = flags.string('since');
    const until = flags.string('until');
    const body = await client().containers.logs(container.Id, {
      stdout: true,
      stderr: true,
      follow: flags.bool('follow'),
      timestamps: flags.bool('timestamps'),
      details: flags.bool('details'),
      since: since === '' ? undefined : apiTime(since, io.now(), 'since'),
      until: until === '' ? undefined : apiTime(until, io.now(), 'until'),
      tail: flags.string('tail'),
    });
    if (container.Config.Tty === true) return writeOut(io.stdout, body);
    const demuxer = new Demuxer();
    for await (const chunk of body) {
      for (const frame of demuxer.feed(chunk))
        await (frame.stream === 2 ? io.stderr : io.stdout).send(frame.data);
    }
    return undefined;
  },
};
