/**
 * A network plugin, as others write them: `plugin-program.ts SOCKET BRIDGE`. Serves libnetwork's remote protocol, makes
 * a bridge for its one network and a pair of interfaces for each endpoint, and prints each call as `METHOD ENDPOINT`.
 */

import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';

const [socket = '', bridge = ''] = process.argv.slice(2);
const ip = (...args: readonly string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

interface Body {
  readonly EndpointID?: string;
  readonly IPv4Data?: readonly { readonly Gateway: string }[];
  readonly Options?: Readonly<Record<string, unknown>>;
}

let gateway = '';
const pair = (id = ''): readonly [string, string] => [`ph${id.slice(0, 8)}`, `pc${id.slice(0, 8)}`];

function answer(method: string, body: Body): object {
  const [near, far] = pair(body.EndpointID);
  switch (method) {
    case 'Plugin.Activate':
      return { Implements: ['NetworkDriver'] };
    case 'NetworkDriver.GetCapabilities':
      return { Scope: 'local', ConnectivityScope: 'local' };
    case 'NetworkDriver.CreateNetwork': {
      const generic = body.Options?.['com.docker.network.generic'] as { readonly fail?: string } | undefined;
      if (generic?.fail !== undefined) return { Err: generic.fail };
      gateway = body.IPv4Data?.[0]?.Gateway ?? '';
      ip('link', 'add', bridge, 'type', 'bridge');
      ip('addr', 'add', gateway, 'dev', bridge);
      ip('link', 'set', bridge, 'up');
      return {};
    }
    case 'NetworkDriver.DeleteNetwork':
      ip('link', 'delete', bridge);
      return {};
    case 'NetworkDriver.CreateEndpoint':
      ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
      ip('link', 'set', near, 'master', bridge, 'up');
      return {};
    case 'NetworkDriver.Join':
      return {
        InterfaceName: { SrcName: far, DstPrefix: 'eth' },
        Gateway: gateway.split('/')[0],
        StaticRoutes: [{ Destination: '198.51.100.0/24', RouteType: 1, NextHop: '' }],
      };
    case 'NetworkDriver.DeleteEndpoint':
      try {
        ip('link', 'delete', near);
      } catch {
        // It went with the container's namespace.
      }
      return {};
    default:
      return {};
  }
}

createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (text += chunk));
  request.on('end', () => {
    const method = (request.url ?? '/').slice(1);
    const body = JSON.parse(text === '' ? '{}' : text) as Body;
    process.stdout.write(`${method} ${body.EndpointID ?? ''}`.trim() + '\n');
    let result: object;
    try {
      result = answer(method, body);
    } catch (error) {
      result = { Err: String(error) };
    }
    response.setHeader('content-type', 'application/vnd.docker.plugins.v1.2+json');
    response.end(JSON.stringify(result));
  });
}).listen(socket, () => process.stdout.write('up\n'));
