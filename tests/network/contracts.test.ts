import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { silentLogger } from '#src/core/log.ts';
import type { NetHelper } from '#src/core/ports/net-helper.ts';
import { createHost } from '#src/host/index.ts';
import {
  createBridgeDriver,
  createDriverPlugins,
  createFirewall,
  createHostDriver,
  createIpvlanDriver,
  createMacvlanDriver,
  createNetHelper,
  createNoneDriver,
  createOverlayDriver,
} from '#src/network/index.ts';
import { ipamDriverContract } from '#tests/contracts/ipam-driver.contract.ts';
import { firewallContract } from '#tests/contracts/firewall.contract.ts';
import { netHelperContract } from '#tests/contracts/net-helper.contract.ts';
import {
  networkDriverContract,
  type NetworkDriverHarness,
} from '#tests/contracts/network-driver.contract.ts';
import { isolated } from './isolated.ts';
import { ctx, knowsKind, netProgram } from './world.ts';

function ask(namespacePath: string, name: string): Promise<readonly string[]> {
  const script = `const r = new (require('dns').Resolver)({ timeout: 1500, tries: 2 }); r.setServers(['127.0.0.11']);
    r.resolve4(${JSON.stringify(name)}, (e, a) => console.log(JSON.stringify(e ? [] : a)));`;
  const child = spawn('nsenter', [`--net=${namespacePath}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('close', () => resolve(JSON.parse(text) as string[]));
  });
}

function occupy(port: number): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () =>
      resolve(() => new Promise<void>((closed) => server.close(() => closed()))),
    );
  });
}

isolated(import.meta.filename, () => {
  const host = createHost();
  const opened: number[] = [];
  const namespace = async (): Promise<{ path: string }> => {
    const made = await host.createNetns();
    opened.push(made.fd);
    return made;
  };
  const closeNamespaces = async (): Promise<void> => {
    for (const fd of opened.splice(0)) host.closeFd(fd);
  };
  after(() => host.close());

  type DriverHarness = Pick<NetworkDriverHarness, 'driver' | 'makesLinks' | 'hasHostSide' | 'options'>;
  const own = { host, instance: 'sliptest' };
  execFileSync('sh', ['-c', 'ip link add slipup type veth peer name slipfar && ip link set slipfar up']);
  const onParent = { makesLinks: true, hasHostSide: false, options: { parent: 'slipup' } };
  const drivers: DriverHarness[] = [
    { driver: createBridgeDriver(own), makesLinks: true },
    { driver: createHostDriver(), makesLinks: false },
    { driver: createNoneDriver(), makesLinks: false },
    { driver: createMacvlanDriver(own), ...onParent },
    {
      driver: createOverlayDriver({ ...own, localAddress: '127.0.0.1', peersOf: () => [] }),
      makesLinks: true,
      options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' },
    },
  ];
  if (knowsKind('ipvlan')) drivers.push({ driver: createIpvlanDriver(own), ...onParent });
  for (const each of drivers)
    networkDriverContract(each.driver.name, () =>
      Promise.resolve({
        ...each,
        namespace,
        async interfaces(where) {
          const [links, addresses] = await Promise.all([host.links(where), host.addresses(where)]);
          return links
            .filter((link) => link.name !== 'lo')
            .map(
              (link) =>
                `${link.name} ${addresses.find((one) => one.linkIndex === link.index)?.address ?? ''}`,
            );
        },
        close: closeNamespaces,
      }),
    );

  ipamDriverContract('a plugin', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slip-'));
    const program = join(import.meta.dirname, 'ipam-program.ts');
    const child = spawn(process.execPath, [program, join(folder, 'fixed.sock')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const plugins = createDriverPlugins(host, { sockets: folder, specs: [] });
    return {
      driver: await plugins.loadIpam(ctx, 'fixed'),
      async close() {
        child.kill('SIGKILL');
        await once(child, 'exit');
        rmSync(folder, { recursive: true });
      },
    };
  });

  firewallContract('nftables', () => {
    const create = (): ReturnType<typeof createFirewall> => createFirewall({ host, instance: 'sliptest' });
    return Promise.resolve({ firewall: create(), again: create, close: () => create().clear(ctx) });
  });

  netHelperContract('slipway-net', () => {
    const runRoot = mkdtempSync(join(tmpdir(), 'slip-'));
    const create = (): NetHelper =>
      createNetHelper({ host, runRoot, program: netProgram, log: silentLogger });
    return Promise.resolve({
      helper: create(),
      again: create,
      namespace: async () => (await namespace()).path,
      lookup: ask,
      occupy,
      async crash(helper) {
        const restarted = new Promise<void>((resolve) => helper.onRestart(resolve));
        process.kill((await helper.stats(ctx)).pid, 'SIGKILL');
        await restarted;
      },
      async close() {
        await create().shutdown(ctx);
        await closeNamespaces();
        rmSync(runRoot, { recursive: true, force: true });
      },
    });
  });
});
