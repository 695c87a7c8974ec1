/** Networks as the options of registries and proxies name them. */

import { BlockList, isIP } from 'node:net';

/** Whether an address lies in a network (CIDR). */
export function inNetwork(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(prefix) || Number(prefix) > (family === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  const own = isIP(host);
  return own !== 0 && list.check(host, own === 6 ? 'ipv6' : 'ipv4');
}

/** Nobody else can listen there. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || inNetwork(host, '127.0.0.0/8');
