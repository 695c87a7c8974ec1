/**
 * Turns the host into a router for its containers, and for nothing else: where forwarding was off before, packets between
 * its other interfaces stay dropped, by the last rule of our forward chain (Docker sets the policy of FORWARD instead).
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { Host, LinkOperation } from '../../core/ports/host.ts';
import type { IpVersion } from './expressions.ts';

const switchOf: Readonly<Record<IpVersion, string>> = {
  4: 'net/ipv4/ip_forward',
  6: 'net/ipv6/conf/all/forwarding',
};

function read(key: string): string {
  try {
    return readFileSync(`/proc/sys/${key}`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** A router ignores router advertisements unless told twice: without this the host would lose its own IPv6 route. */
function keepAdvertisements(): readonly LinkOperation[] {
  const folder = 'net/ipv6/conf';
  return readdirSync(`/proc/sys/${folder}`)
    .map((name) => `${folder}/${name}/accept_ra`)
    .filter((key) => !key.includes('/all/') && read(key) === '1')
    .map((key): LinkOperation => ({ op: 'sysctl', key, value: '2', optional: true }));
}

/** Whether the host does not forward; false where the kernel lacks the version. */
export const isForwardingOff = (version: IpVersion): boolean => read(switchOf[version]) === '0';

export async function enableForwarding(host: Pick<Host, 'link'>, version: IpVersion): Promise<void> {
  const before = version === 6 ? keepAdvertisements() : [];
  await host.link(undefined, [...before, { op: 'sysctl', key: switchOf[version], value: '1' }]);
}

export async function disableForwarding(host: Pick<Host, 'link'>, version: IpVersion): Promise<void> {
  await host.link(undefined, [{ op: 'sysctl', key: switchOf[version], value: '0', optional: true }]);
}
