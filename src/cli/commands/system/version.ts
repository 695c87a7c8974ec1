/** `version`. */
import { type EngineVersion, NEWEST_VERSION } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { compile, fromApi } from '../../../template/index.ts';
import { alignColumns } from '../../render/table.ts';
import { VERSION } from '../../version.ts';
import { architecture } from '../../architecture.ts';
import { longDate } from '../../render/long-date.ts';

/** Details of a component that the head of the page shows already. */
const SHOWN = new Set([
  'ApiVersion',
  'MinAPIVersion',
  'GitCommit',
  'GoVersion',
  'Os',
  'Arch',
  'KernelVersion',
  'Experimental',
  'BuildTime',
]);

function clientText(apiVersion: string): string {
  const api =
    apiVersion === NEWEST_VERSION ? apiVersion : `${apiVersion} (downgraded from ${NEWEST_VERSION})`;
  return (
    `Client:\n Version:\t${VERSION}\n API version:\t${api}\n Runtime:\t${process.versions['bun'] === undefined ? `node ${process.versions.node}` : `bun ${process.versions['bun']}`}\n` +
    ` OS/Arch:\t${process.platform}/${architecture()}\n`
  );
}

function componentText(component: NonNullable<EngineVersion['Components']>[number]): string {
  const details = component.Details ?? {};
  const lines = [` ${component.Name}:`, `  Version:\t${component.Version}`];
  const engine = component.Name === 'Engine';
  if (engine) {
    const given = (label: string, value: string | undefined): void => {
      if (value !== undefined && value !== '') lines.push(`  ${label}:\t${value}`);
    };
    lines.push(
      `  API version:\t${details['ApiVersion'] ?? ''} (minimum version ${details['MinAPIVersion'] ?? ''})`,
    );
    given('Go version', details['GoVersion']);
    given('Git commit', details['GitCommit']);
    given('Built', longDate(details['BuildTime'] ?? ''));
    lines.push(
      `  OS/Arch:\t${details['Os'] ?? ''}/${details['Arch'] ?? ''}`,
      `  Experimental:\t${details['Experimental'] ?? 'false'}`,
    );
    return lines.join('\n');
  }
  for (const [name, value] of Object.entries(details))
    if (!SHOWN.has(name) || name === 'GitCommit') lines.push(`  ${name}:\t${value}`);
  return lines.join('\n');
}

function serverText(server: EngineVersion): string {
  const platform = server.Platform?.Name ?? '';
  const components = server.Components ?? [
    {
      Name: 'Engine',
      Version: server.Version,
      Details: {
        ...server,
        MinAPIVersion: server.MinAPIVersion ?? '',
        Experimental: String(server.Experimental ?? false),
      } as unknown as Record<string, string>,
    },
  ];
  return `\nServer:${platform === '' ? '' : ` ${platform}`}\n${components.map(componentText).join('\n')}\n`;
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    let server: EngineVersion | undefined;
    let failure: unknown;
    try {
      server = await client().system.version();
    } catch (error) {
      failure = error;
    }
    const apiVersion = client().api.version;
    const format = flags.string('format');
    if (format !== '') {
      const value = {
        Client: {
          Version: VERSION,
          ApiVersion: apiVersion,
          DefaultAPIVersion: NEWEST_VERSION,
          Os: process.platform,
          Arch: architecture(),
          Context: 'default',
        },
        Server: server ?? null,
      };
      try {
        io.stdout.write(
          `${compile(format === 'json' ? '{{json .}}' : format, { missingKeyIsError: true }).render(fromApi(value))}\n`,
        );
      } catch (error) {
        io.stdout.write('\n');
        throw new CliError(`template parsing error: ${errorText(error)}`);
      }
    } else {
      const text = clientText(apiVersion) + (server === undefined ? '' : serverText(server));
      io.stdout.write(alignColumns(text, { minWidth: 20, padding: 1 }));
    }
    if (failure !== undefined) throw new CliError(errorText(failure));
  },
};
