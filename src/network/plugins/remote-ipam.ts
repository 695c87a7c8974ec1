/** Addresses from another program: libnetwork's IpamDriver protocol. */

import { internal } from '../../core/errors.ts';
import { parseCidr } from '../../core/ip.ts';
import type { AddressAsked, IpamDriver } from '../../core/ports/ipam-driver.ts';
import type { Call } from './remote-driver.ts';

const gatewayLabel = 'com.docker.network.gateway';
const macLabel = 'com.docker.network.endpoint.macaddress';

type Answer = Readonly<Record<string, unknown>>;
const textOf = (answer: Answer, key: string): string => {
  const value = answer[key];
  return typeof value === 'string' ? value : '';
};

/** `failure` begins what is told of something that is none. */
function cidr(text: string, failure: string): string {
  if (parseCidr(text) === undefined) throw internal(`${failure}invalid CIDR address: ${text}`);
  return text;
}

function optionsOf(asked: AddressAsked): Readonly<Record<string, string>> | null {
  if (asked.purpose === 'gateway') return { RequestAddressType: gatewayLabel };
  return asked.macAddress === undefined ? null : { [macLabel]: asked.macAddress };
}

/** Asks the plugin what it needs and how it calls its address spaces. */
export async function createRemoteIpam(name: string, call: Call): Promise<IpamDriver> {
  const { RequiresMACAddress, RequiresRequestReplay } = await call('IpamDriver.GetCapabilities');
  const spaces = await call('IpamDriver.GetDefaultAddressSpaces');
  return {
    name,
    requiresMacAddress: RequiresMACAddress === true,
    requiresReplay: RequiresRequestReplay === true,
    async requestPool(_ctx, { scope, subnet, ipRange, options, ipv6 }) {
      const answer = await call('IpamDriver.RequestPool', {
        AddressSpace: textOf(
          spaces,
          scope === 'local' ? 'LocalDefaultAddressSpace' : 'GlobalDefaultAddressSpace',
        ),
        Pool: subnet,
        SubPool: ipRange,
        Options: options,
        V6: ipv6,
      });
      const poolId = textOf(answer, 'PoolID');
      const gateway = textOf((answer['Data'] ?? {}) as Answer, gatewayLabel);
      try {
        if (gateway !== '')
          cidr(gateway, `failed to parse gateway address (${gateway}) returned by ipam driver: `);
        return { poolId, subnet: cidr(textOf(answer, 'Pool'), ''), gateway };
      } catch (error) {
        await call('IpamDriver.ReleasePool', { PoolID: poolId });
        throw error;
      }
    },
    async releasePool(_ctx, poolId) {
      await call('IpamDriver.ReleasePool', { PoolID: poolId });
    },
    async requestAddress(_ctx, asked) {
      const { poolId, address } = asked;
      const body = { PoolID: poolId, Address: address, Options: optionsOf(asked) };
      const given = textOf(await call('IpamDriver.RequestAddress', body), 'Address');
      if (given === '') throw internal('No address returned');
      return cidr(given, '');
    },
    async releaseAddress(_ctx, poolId, address) {
      await call('IpamDriver.ReleaseAddress', { PoolID: poolId, Address: address });
    },
  };
}
