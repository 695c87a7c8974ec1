/** Reads what the service must know of the host. */

import { existsSync, readFileSync } from 'node:fs';
import type { NetworkHostFacts } from './deps.ts';

/** Docker's own range where the kernel tells none. */
const fallback = { first: 49_153, last: 65_535 };

function ephemeralPorts(): { first: number; last: number } {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .trim()
      .split(/\s+/)
      .map(Number);
    return first !== undefined && last !== undefined && first > 0 && last >= first
      ? { first, last }
      : fallback;
  } catch {
    return fallback;
  }
}

export function readHostFacts(resolvConfPath = '/etc/resolv.conf'): NetworkHostFacts {
  return {
    ipv6: existsSync('/proc/net/if_inet6'),
    ephemeralPorts: ephemeralPorts(),
    readResolvConf() {
      try {
        return readFileSync(resolvConfPath, 'utf8');
      } catch {
        return '';
      }
    },
  };
}
