/** `update`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import type { Flags } from '../../flags/parse.ts';
import { parsePorts } from '../../run/ports.ts';
import { parseRestart } from '../../run/restart-policy.ts';

const NUMBERS: Readonly<Record<string, string>> = {
  'blkio-weight': 'BlkioWeight',
  'cpu-period': 'CpuPeriod',
  'cpu-quota': 'CpuQuota',
  'cpu-rt-period': 'CpuRealtimePeriod',
  'cpu-rt-runtime': 'CpuRealtimeRuntime',
  'cpu-shares': 'CpuShares',
  cpus: 'NanoCpus',
  memory: 'Memory',
  'memory-reservation': 'MemoryReservation',
  'memory-swap': 'MemorySwap',
  'pids-limit': 'PidsLimit',
};
const TEXTS: Readonly<Record<string, string>> = { 'cpuset-cpus': 'CpusetCpus', 'cpuset-mems': 'CpusetMems' };

/** Only what was given: the engine keeps the rest. */
function updateBody(flags: Flags): Record<string, unknown> {
  const given = <T>(table: Readonly<Record<string, string>>, read: (name: string) => T): [string, T][] =>
    Object.entries(table)
      .filter(([name]) => flags.changed(name))
      .map(([name, field]) => [field, read(name)]);
  return {
    ...Object.fromEntries(given(NUMBERS, (name) => flags.number(name))),
    ...Object.fromEntries(given(TEXTS, (name) => flags.string(name))),
    ...(flags.changed('restart') ? { RestartPolicy: parseRestart(flags.string('restart')) } : {}),
  };
}

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const body = updateBody(flags);
    const ports = {
      Add: parsePorts(flags.list('publish-add')),
      Remove: parsePorts(flags.list('publish-rm')),
    };
    const changesPorts = Object.keys(ports.Add).length + Object.keys(ports.Remove).length > 0;
    const changesRest = Object.keys(body).length > 0;
    if (!changesRest && !changesPorts) {
      throw new CliError('you must provide one or more flags when using this command');
    }
    const warnings: string[] = [];
    const errors: string[] = [];
    for (const id of args) {
      try {
        if (changesPorts) await client().networks.changePorts(id, ports);
        if (changesRest) warnings.push(...((await client().containers.update(id, body)).Warnings ?? []));
        io.stdout.write(`${id}\n`);
      } catch (error) {
        errors.push(errorText(error));
      }
    }
    if (warnings.length > 0) io.stdout.write(`${warnings.join('\n')}\n`);
    if (errors.length > 0) throw new CliError(errors.join('\n'));
  },
};
