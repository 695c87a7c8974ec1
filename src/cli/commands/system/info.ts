/** `info`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { clientInfo, infoWarnings, serverInfo } from '../../render/info.ts';
import { compile, fromApi } from '../../../template/index.ts';
import { VERSION } from '../../version.ts';

function rendered(format: string, value: Readonly<Record<string, unknown>>): string {
  try {
    return compile(format === 'json' ? '{{json .}}' : format, { missingKeyIsError: true }).render(
      fromApi(value),
    );
  } catch (error) {
    throw new CliError(`template parsing error: ${errorText(error)}`, 64);
  }
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const format = flags.string('format');
    const info = await client()
      .system.info()
      .catch((error: unknown) => errorText(error));
    const failed = typeof info === 'string' ? info : undefined;
    const found = typeof info === 'string' ? {} : info;
    if (format !== '') {
      const errors = failed === undefined ? {} : { ServerErrors: [failed] };
      io.stdout.write(
        `${rendered(format, { ...found, ClientInfo: { Version: VERSION, Debug: false }, ...errors })}\n`,
      );
    } else {
      io.stdout.write(`${clientInfo(false)}Server:\n`);
      if (failed === undefined) io.stdout.write(serverInfo(found));
      io.stderr.write(infoWarnings(found));
    }
    if (failed !== undefined) throw new CliError(failed);
  },
};
