/** `network trace`: Slipway's own. Whether a packet passes, and why. */
import { type CommandModule, exactArgs } from '../../command.ts';

const MARKS: Readonly<Record<string, string>> = { pass: 'ok  ', drop: 'DROP', note: 'note' };
const EXIT_DROPPED = 1;

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ io, flags, args, client }) {
    const [source = '', destination = ''] = args;
    const answer = await client().networks.trace(source, destination);
    if (flags.string('format') === 'json') io.stdout.write(`${JSON.stringify(answer)}\n`);
    else {
      for (const { Verdict, Text } of answer.Steps)
        io.stdout.write(`${MARKS[Verdict] ?? Verdict}  ${Text}\n`);
      io.stdout.write(answer.Passes ? 'It passes.\n' : 'It does not pass.\n');
    }
    return answer.Passes ? undefined : EXIT_DROPPED;
  },
};
