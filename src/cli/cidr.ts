/** Which subnet an address belongs to. */
import net from 'node:net';

interface Cidr {
  readonly list: net.BlockList;
  readonly family: 'ipv4' | 'ipv6';
}

/** A subnet in CIDR form, or undefined when it is none. */
function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits = ''] = text.split('/');
  const version = net.isIP(address);
  if (version === 0 || !/^\d+$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new net.BlockList();
  list.addSubnet(address, Number(bits), family);
  return { list, family };
}

export function contains(subnet: string, address: string): boolean {
  const cidr = parseCidr(subnet);
  const version = net.isIP(address);
  if (cidr === undefined || version === 0) return false;
  return (version === 4) === (cidr.family === 'ipv4') && cidr.list.check(address, cidr.family);
}
