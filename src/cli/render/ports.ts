/** The PORTS column: runs of neighbouring ports are drawn together. */
import type { Port } from '../../client/index.ts';

interface Run {
  first: number;
  last: number;
}

const byteOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const order = (a: Port, b: Port): number =>
  a.PrivatePort - b.PrivatePort ||
  byteOrder(a.IP ?? '', b.IP ?? '') ||
  (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
  byteOrder(a.Type, b.Type);

const bracket = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);

function runText(key: string, { first, last }: Run): string {
  const slash = key.lastIndexOf('/');
  const [ip, type] = slash < 0 ? ['', key] : [key.slice(0, slash), key.slice(slash + 1)];
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${ip === '' ? '' : `${bracket(ip)}:${range}->`}${range}/${type}`;
}

/** `0.0.0.0:8080->80/tcp, 443/tcp`. Ports that map to another number stand alone. */
export function portsText(ports: readonly Port[]): string {
  const groups = new Map<string, Run>();
  const keys: string[] = [];
  const alone: string[] = [];
  for (const port of ports.toSorted(order)) {
    let key = port.Type;
    const ip = port.IP ?? '';
    if (ip !== '') {
      if (port.PublicPort !== port.PrivatePort) {
        alone.push(`${bracket(ip)}:${port.PublicPort ?? 0}->${port.PrivatePort}/${port.Type}`);
        continue;
      }
      key = `${ip}/${port.Type}`;
    }
    const run = groups.get(key);
    if (run === undefined) {
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
      keys.push(key);
    } else if (port.PrivatePort === run.last + 1) run.last = port.PrivatePort;
    else {
      keys.push(`${key}\n${runText(key, run)}`);
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    }
  }
  const done = keys.filter((key) => key.includes('\n')).map((key) => key.slice(key.indexOf('\n') + 1));
  const open = keys.filter((key) => !key.includes('\n'));
  return [
    ...done,
    ...open.map((key) => runText(key, groups.get(key) ?? { first: 0, last: 0 })),
    ...alone,
  ].join(', ');
}
