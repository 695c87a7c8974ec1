/**
 * A plugin that gives addresses, as others write them: `ipam-program.ts LISTEN [KEY=VALUE...]`. Serves libnetwork's
 * IpamDriver protocol on a unix socket, or at HOST:PORT with `tls=FOLDER` behind TLS with client certificates, and
 * prints each call as `METHOD BODY`. What it hands out is the same every time, so that two engines' calls compare.
 */

import { readFileSync } from 'node:fs';
import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createTls } from 'node:https';
import { join } from 'node:path';

const [listen = '', ...rest] = process.argv.slice(2);
const settings = new Map(rest.map((one) => one.split('=', 2) as [string, string]));

interface Body {
  readonly Pool?: string;
  readonly SubPool?: string;
  readonly PoolID?: string;
  readonly Address?: string;
  readonly V6?: boolean;
  readonly Options?: Readonly<Record<string, string>> | null;
}

interface Pool {
  readonly base: string;
  readonly prefix: string;
  /** What the network asked to go wrong: the method's name. */
  readonly fails: string;
  readonly given: Set<string>;
}

const pools = new Map<string, Pool>();
let count = 0;
let offered = 0;

function requestPool(body: Body): object {
  const own = body.V6 === true ? `fd00:${100 + count}::/64` : `10.${200 + count}.0.0/24`;
  // Twice the same, so that who finds it in use and asks again sees the next one.
  const first = offered < 2 ? body.Options?.['first'] : undefined;
  if (first !== undefined) offered++;
  const asked = body.Pool || first || own;
  const [address = '', prefix = ''] = asked.split('/');
  const fails = body.Options?.['fails'] ?? '';
  if (fails === 'RequestPool') return { Error: 'no pool for you' };
  count++;
  const id = `pool-${count}`;
  pools.set(id, { base: address.replace(/[^.:]*$/, ''), prefix, fails, given: new Set() });
  const told = body.Options?.['tells-gateway'];
  const data = told === undefined ? {} : { 'com.docker.network.gateway': told };
  return { PoolID: id, Pool: body.Options?.['answers'] ?? asked, Data: data };
}

function requestAddress(body: Body): object {
  const pool = pools.get(body.PoolID ?? '');
  if (pool === undefined) return { Error: `unknown pool ${body.PoolID}` };
  const isGateway = body.Options?.['RequestAddressType'] === 'com.docker.network.gateway';
  if (pool.fails === (isGateway ? 'Gateway' : 'RequestAddress')) return { Error: 'no address for you' };
  let number = isGateway ? 1 : 2;
  while (pool.given.has(`${pool.base}${number}`)) number++;
  const address = body.Address || `${pool.base}${number}`;
  if (pool.given.has(address)) return { Error: `${address} is taken` };
  pool.given.add(address);
  return { Address: `${address}/${pool.prefix}`, Data: {} };
}

function answer(method: string, body: Body): object {
  switch (method) {
    case 'Plugin.Activate':
      return { Implements: [settings.get('implements') ?? 'IpamDriver'] };
    case 'IpamDriver.GetCapabilities':
      return {
        RequiresMACAddress: settings.get('mac') === 'true',
        RequiresRequestReplay: settings.get('replay') === 'true',
      };
    case 'IpamDriver.GetDefaultAddressSpaces':
      return { LocalDefaultAddressSpace: 'here', GlobalDefaultAddressSpace: 'everywhere' };
    case 'IpamDriver.RequestPool':
      return requestPool(body);
    case 'IpamDriver.ReleasePool':
      return pools.delete(body.PoolID ?? '') ? {} : { Error: `unknown pool ${body.PoolID}` };
    case 'IpamDriver.RequestAddress':
      return requestAddress(body);
    case 'IpamDriver.ReleaseAddress':
      return pools.get(body.PoolID ?? '')?.given.delete(body.Address ?? '') === true
        ? {}
        : { Error: `${body.Address} was not given` };
    case 'NetworkDriver.GetCapabilities':
      return { Scope: settings.get('scope') ?? 'local', ConnectivityScope: 'local' };
    default:
      return {};
  }
}

const handle: RequestListener = (request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (text += chunk));
  request.on('end', () => {
    const method = (request.url ?? '/').slice(1);
    process.stdout.write(`${method} ${text.trim()}\n`);
    const result = answer(method, JSON.parse(text.trim() === '' ? '{}' : text) as Body);
    response.setHeader('content-type', 'application/vnd.docker.plugins.v1.2+json');
    response.end(JSON.stringify(result));
  });
};

const tls = settings.get('tls');
const read = (name: string): Buffer => readFileSync(join(tls ?? '', name));
const server =
  tls === undefined
    ? createPlain(handle)
    : createTls(
        {
          key: read('own.key'),
          cert: read('own.crt'),
          ca: read('own-ca.crt'),
          requestCert: true,
          rejectUnauthorized: true,
        },
        handle,
      );
const up = (): void => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? ` ${address.port}` : '';
  process.stdout.write(`up${port}\n`);
};
if (listen.startsWith('/')) server.listen(listen, up);
else server.listen(Number(listen.split(':')[1]), listen.split(':')[0], up);
