/** `update`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { parseRestart } from '../../run/restart-policy.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const rows = [
      'blkio-weight',
      'cpu-period',
      'cpu-quota',
      'cpu-rt-period',
      'cpu-rt-runtime',
      'cpu-shares',
      'cpus',
      'cpuset-cpus',
      'cpuset-mems',
      'memory',
      'memory-reservation',
      'memory-swap',
      'pids-limit',
      'restart',
    ];
    if (!rows.some((name) => flags.changed(name)))
      throw new CliError('you must provide one or more flags when using this command');
    const body = {
      BlkioWeight: flags.number('blkio-weight'),
      CpuPeriod: flags.number('cpu-period'),
      CpuQuota: flags.number('cpu-quota'),
      CpuRealtimePeriod: flags.number('cpu-rt-period'),
      CpuRealtimeRuntime: flags.number('cpu-rt-runtime'),
      CpuShares: flags.number('cpu-shares'),
      NanoCpus: flags.number('cpus'),
      CpusetCpus: flags.string('cpuset-cpus'),
      CpusetMems: flags.string('cpuset-mems'),
      Memory: flags.number('memory'),
      MemoryReservation: flags.number('memory-reservation'),
      MemorySwap: flags.number('memory-swap'),
      ...(flags.changed('pids-limit') ? { PidsLimit: flags.number('pids-limit') } : {}),
      ...(flags.string('restart') === '' ? {} : { RestartPolicy: parseRestart(flags.string('restart')) }),
    };
    const warnings: string[] = [];
    const errors: string[] = [];
    for (const id of args) {
      try {
        warnings.push(...((await client().containers.update(id, body)).Warnings ?? []));
        io.stdout.write(`${id}\n`);
      } catch (error) {
        errors.push(errorText(error));
      }
    }
    if (warnings.length > 0) io.stdout.write(`${warnings.join('\n')}\n`);
    if (errors.length > 0) throw new CliError(errors.join('\n'));
  },
};
