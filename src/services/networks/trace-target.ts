/** The two ends that `network trace` is asked about, as text. Pure. */

import { invalid } from '../../core/errors.ts';
import { parseIp } from '../../core/ip.ts';

export interface Target {
  /** Name, id, address or `host`. */
  readonly host: string;
  /** 0 where none is asked. */
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

/** `web`, `web:80`, `web:53/udp`, `10.1.0.2:80`, `[fd00::2]:80`, `fd00::2`. */
export function parseEnd(text: string): Target {
  if (parseIp(text) !== undefined) return { host: text, port: 0, protocol: 'tcp' };
  const match = /^(?:\[([^\]]+)\]|([^:[\]/]+))(?::(\d{1,5})(?:\/(tcp|udp|sctp))?)?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? 0);
  if (host === undefined || port > 65_535 || (match?.[3] !== undefined && port === 0))
    throw invalid(`${JSON.stringify(text)} is not of the form HOST[:PORT[/PROTOCOL]]`);
  return { host, port, protocol: (match?.[4]?.toLowerCase() ?? 'tcp') as Target['protocol'] };
}
