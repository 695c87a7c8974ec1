/** `network create`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import type { Flags } from '../../flags/parse.ts';
import { keyValues } from '../../key-values.ts';
import { contains } from '../../cidr.ts';

interface Pool {
  Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

function poolOf(pools: readonly Pool[], address: string, what: string): Pool {
  const found = pools.find((pool) => contains(pool.Subnet, address));
  if (found === undefined) throw new CliError(`no matching subnet for ${what} ${address}`);
  return found;
}

/** One pool for each subnet, with the ranges, gateways and reserved addresses that lie in it. */
function pools(flags: Flags): Pool[] {
  const subnets = flags.list('subnet');
  const ranges = flags.list('ip-range');
  const gateways = flags.list('gateway');
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new CliError('every ip-range or gateway must have a corresponding subnet');
  }
  const all: Pool[] = subnets.map((Subnet) => ({ Subnet }));
  for (const range of ranges) {
    const pool = poolOf(all, range.split('/')[0] ?? '', 'range');
    if (pool.IPRange !== undefined)
      throw new CliError(
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet (${pool.Subnet})`,
      );
    pool.IPRange = range;
  }
  for (const gateway of gateways) {
    const pool = poolOf(all, gateway, 'gateway');
    if (pool.Gateway !== undefined)
      throw new CliError(
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet (${pool.Subnet})`,
      );
    pool.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(flags.map('aux-address'))) {
    const pool = poolOf(all, address, 'aux-address');
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return all;
}

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client }) {
    const from = flags.string('config-from');
    const { Id, Warning } = await client().networks.create({
      Name: args[0],
      Driver: flags.string('driver'),
      Scope: flags.string('scope'),
      ...(flags.changed('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
      ...(flags.changed('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
      IPAM: { Driver: flags.string('ipam-driver'), Options: flags.map('ipam-opt'), Config: pools(flags) },
      Internal: flags.bool('internal'),
      Attachable: flags.bool('attachable'),
      Ingress: flags.bool('ingress'),
      ConfigOnly: flags.bool('config-only'),
      ConfigFrom: from === '' ? null : { Network: from },
      Options: flags.map('opt'),
      Labels: keyValues(flags.list('label')),
    });
    if (Warning !== undefined && Warning !== '') io.stderr.write(`WARNING: ${Warning}\n`);
    io.stdout.write(`${Id}\n`);
  },
};
