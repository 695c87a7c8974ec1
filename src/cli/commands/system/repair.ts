/** `system repair`: Slipway's own. The engine answers what it would do, or did. */
import { type CommandModule, noArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { compile, fromApi, goText } from '../../../template/index.ts';

interface Action {
  readonly action?: string;
  readonly object?: string;
  readonly reason?: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** The list in the answer, whether it stands alone or under a name. */
function actionsOf(answer: unknown): readonly unknown[] {
  if (Array.isArray(answer)) return answer;
  if (!isRecord(answer)) return [];
  const list = Object.values(answer).find((value) => Array.isArray(value));
  return Array.isArray(list) ? list : [];
}

function line(action: unknown): string {
  if (!isRecord(action)) return `${goText(action)}\n`;
  const { action: verb, object, reason }: Action = action;
  if (verb === undefined) return `${Object.values(action).map(goText).join('  ')}\n`;
  return `${[verb, object ?? '', reason ?? ''].filter((part) => part !== '').join('  ')}\n`;
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const dryRun = flags.bool('dry-run');
    const answer = await client().system.repair(dryRun);
    const format = flags.string('format');
    if (format !== '') {
      try {
        io.stdout.write(`${compile(format === 'json' ? '{{json .}}' : format).render(fromApi(answer))}\n`);
      } catch (error) {
        throw new CliError(`template parsing error: ${errorText(error)}`);
      }
      return;
    }
    const actions = actionsOf(answer);
    if (actions.length === 0) io.stdout.write('Nothing to repair: records and kernel agree.\n');
    io.stdout.write(actions.map(line).join(''));
  },
};
