/** `-p` and `--expose`. */
import net from 'node:net';
import { CliError } from '../exit.ts';

export interface Binding {
  readonly HostIp: string;
  readonly HostPort: string;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first > 65_535 || last > 65_535 || last < first ? undefined : { first, last };
}

function splitSpec(spec: string): { ip: string; host: string; container: string } {
  const parts = spec.split(':');
  const container = parts.pop() ?? '';
  if (parts.length === 0) return { ip: '', host: '', container };
  const host = parts.pop() ?? '';
  return { ip: parts.join(':'), host, container };
}

function checkIp(ip: string): string {
  const bare = ip.startsWith('[') && ip.endsWith(']') ? ip.slice(1, -1) : ip;
  if (bare !== '' && net.isIP(bare) === 0) throw new CliError(`invalid IP address: ${bare}`);
  return bare;
}

/** The long form `published=8080,target=80,protocol=tcp`. */
function fromLongForm(spec: string): string {
  const fields = new Map(
    spec.split(',').map((field) => {
      const [name = '', value = ''] = field.split('=');
      return [name.trim().toLowerCase(), value.trim()] as const;
    }),
  );
  const published = fields.get('published') ?? '';
  return `${published === '' ? '' : `${published}:`}${fields.get('target') ?? ''}/${fields.get('protocol') ?? 'tcp'}`;
}

export type PortMap = Record<string, Binding[]>;

function addPort(map: PortMap, given: string): void {
  const spec = given.includes('=') ? fromLongForm(given) : given;
  const { ip, host, container: full } = splitSpec(spec);
  const [container = '', protocol = 'tcp'] = full.split('/');
  const hostIp = checkIp(ip);
  if (container === '') throw new CliError(`no port specified: ${spec}<empty>`);
  const inner = parseRange(container);
  if (inner === undefined) throw new CliError(`invalid containerPort: ${container}`);
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase()))
    throw new CliError(`invalid proto: ${protocol}`);
  const outer = host === '' ? undefined : parseRange(host);
  if (host !== '' && outer === undefined) throw new CliError(`invalid hostPort: ${host}`);
  const count = inner.last - inner.first;
  if (outer !== undefined && outer.last - outer.first !== count && count !== 0) {
    throw new CliError(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  for (let at = 0; at <= count; at++) {
    const key = `${inner.first + at}/${protocol.toLowerCase()}`;
    // One container port with a range of host ports lets the engine choose among them.
    const choice = outer !== undefined && count === 0 && outer.last !== outer.first;
    const hostPort = outer === undefined ? '' : choice ? host : String(outer.first + at);
    (map[key] ??= []).push({ HostIp: hostIp, HostPort: hostPort });
  }
}

export function parsePorts(specs: readonly string[]): PortMap {
  const map: PortMap = {};
  for (const spec of specs) addPort(map, spec);
  return map;
}

/** The ports of `--expose`, as keys. */
export function parseExposed(specs: readonly string[]): string[] {
  return specs.flatMap((spec) => {
    if (spec.includes(':')) throw new CliError(`invalid port format for --expose: ${spec}`);
    const [ports = '', protocol = 'tcp'] = spec.split('/');
    const range = parseRange(ports);
    if (range === undefined)
      throw new CliError(
        `invalid range format for --expose: ${spec}, error: strconv.ParseUint: parsing "${ports}": invalid syntax`,
      );
    return Array.from(
      { length: range.last - range.first + 1 },
      (_, at) => `${range.first + at}/${protocol.toLowerCase()}`,
    );
  });
}
