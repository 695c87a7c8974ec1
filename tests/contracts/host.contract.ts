/** What every Host must do: the real one and the one in memory. Each test works in namespaces of its own. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Host, LinkOperation, NamespaceRef } from '../../src/core/ports/host.ts';
import type { NftChange } from '../../src/core/ports/nft.ts';

/** Whether an error is the host's own kind, with this code; `index` is checked where it is given. */
export function fails(code: string, index?: number): (error: unknown) => boolean {
  return (error) => {
    const { kind, cause } = error as { kind?: string; cause?: { code?: string; index?: number } };
    assert.deepEqual([kind, cause?.code], ['internal', code], String(error));
    if (index !== undefined) assert.equal(cause?.index, index);
    return true;
  };
}

const table = { family: 'ip', table: 'contract' } as const;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

export function hostContract(name: string, make: () => Host): void {
  describe(`${name}: host contract`, () => {
    const host = make();
    const directory = mkdtempSync(join(tmpdir(), 'slip-host-'));
    after(async () => {
      await host.close();
      rmSync(directory, { recursive: true, force: true });
    });
    processes(host);
    mounts(host, directory);
    files(host, directory);
    links(host);
    programs(host);
    tables(host);
    sockets(host);
    facts(host);
  });
}

function processes(host: Host): void {
  const run = (path: string, ...args: string[]) =>
    host.spawn({ path, args: [path, ...args], env: [], fds: {} });

  it('tells exit codes, once', async () => {
    for (const [path, code] of [
      ['/bin/true', 0],
      ['/bin/false', 1],
    ] as const) {
      const { pid, pidfd } = await run(path);
      assert.equal(await host.waitChild(pid), code);
      assert.equal(await host.waitChild(pid), -1);
      assert.equal(host.signalPidfd(pidfd, 9), false);
      host.closeFd(pidfd);
    }
    assert.equal(await host.waitChild(1), -1);
  });

  it('refuses a program that is not there', async () => {
    await assert.rejects(run('/nonexistent/program'), fails('ENOENT'));
  });

  it('finds, checks and signals a process', async () => {
    const { pid, pidfd } = await run('/bin/sleep', '600');
    const stat = host.processStat(pid);
    assert.deepEqual([stat?.pid, stat?.ppid], [pid, process.pid]);
    assert.equal(host.openPidfd(pid, '1'), -1);
    const again = host.openPidfd(pid, stat?.startTicks);
    assert.ok(again >= 0);
    assert.equal(host.signalPidfd(again, 0), true);
    const both = Promise.all([host.waitChild(pid), host.waitChild(pid)]);
    assert.equal(host.signalPidfd(again, 15), true);
    assert.deepEqual(await both, [128 + 15, 128 + 15]);
    assert.equal(host.signalPidfd(pidfd, 15), false);
    assert.equal(host.openPidfd(pid), -1);
    assert.equal(host.processStat(pid), undefined);
    host.closeFd(again);
    host.closeFd(pidfd);
  });

  it('makes socket pairs', () => {
    const [a, b] = host.socketpair();
    assert.ok(a >= 0 && b >= 0 && a !== b);
    host.closeFd(a);
    host.closeFd(b);
  });
}

function mounts(host: Host, directory: string): void {
  const tmpfs = (target: string, ...flags: string[]) =>
    host.mount({ source: 'tmpfs', target, fstype: 'tmpfs', flags, data: 'size=64k' });

  it('mounts, lists below a path, and unmounts as often as one likes', async () => {
    const target = join(directory, 'mnt');
    mkdirSync(target);
    mkdirSync(`${target}2`);
    await tmpfs(target, 'nosuid', 'private');
    await tmpfs(`${target}2`);
    const listed = await host.mounts(target);
    assert.deepEqual(
      listed.map((mount) => [mount.target, mount.fstype, mount.source, mount.propagation]),
      [[target, 'tmpfs', 'tmpfs', 'private']],
    );
    await host.mount({ source: '', target, fstype: '', flags: ['shared'] });
    assert.equal((await host.mounts(target))[0]?.propagation, 'shared');
    await host.unmount(target);
    await host.unmount(target);
    await host.unmount(join(directory, 'never'), { detach: true });
    assert.deepEqual(await host.mounts(target), []);
    assert.equal((await host.mounts(directory)).length, 1);
    await host.unmount(`${target}2`, { detach: true });
  });

  it('refuses a mount on nothing, and a flag that is none', async () => {
    await assert.rejects(tmpfs(join(directory, 'nothing')), fails('ENOENT'));
    assert.deepEqual(await host.mounts(join(directory, 'nothing')), []);
  });

  it('binds', async () => {
    const [source, target] = [join(directory, 'bind-source'), join(directory, 'bind-target')];
    mkdirSync(source);
    mkdirSync(target);
    await host.mount({ source, target, fstype: '', flags: ['bind', 'ro'] });
    assert.equal((await host.mounts(target)).length, 1);
    await host.unmount(target);
    await assert.rejects(
      host.mount({ source: join(directory, 'nothing'), target, fstype: '', flags: ['bind'] }),
      fails('ENOENT'),
    );
  });
}

function files(host: Host, directory: string): void {
  it('opens below a root that cannot be left', async () => {
    const root = join(directory, 'root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/name'), 'inside');
    symlinkSync('/etc/name', join(root, 'absolute'));
    symlinkSync('../../../../../../etc/name', join(root, 'etc/climbing'));
    for (const path of ['etc/name', '/etc/name', '../../etc/name', 'absolute', 'etc/climbing']) {
      host.closeFd(await host.openInRoot(root, path));
    }
    await assert.rejects(host.openInRoot(root, 'etc/passwd'), fails('ENOENT'));
    await assert.rejects(host.openInRoot(root, 'absolute', { noSymlinks: true }), fails('ELOOP'));
    await assert.rejects(host.openInRoot(join(directory, 'no-root'), '/'), fails('ENOENT'));
  });

  it('flushes the filesystem of a path', async () => {
    await host.syncfs(directory);
    await assert.rejects(host.syncfs(join(directory, 'nothing')), fails('ENOENT'));
  });
}

const bridge = (name: string): LinkOperation[] => [
  { op: 'createBridge', name, mtu: 1400, mac: '02:42:00:00:00:01', alias: 'a bridge' },
  { op: 'addAddress', name, address: '10.99.0.1/24' },
  { op: 'setLink', name, up: true },
];

const veth = (namespace: NamespaceRef): LinkOperation => ({
  op: 'createVeth',
  name: 'veth0',
  mtu: 1400,
  bridge: 'br0',
  alias: 'of x',
  peer: { name: 'eth0', mac: '02:42:0a:63:00:02', namespace },
});

/** A namespace that is closed when the body ends. */
async function inNetns(
  host: Host,
  body: (namespace: { fd: number; path: string }) => Promise<void>,
): Promise<void> {
  const namespace = await host.createNetns();
  try {
    await body(namespace);
  } finally {
    host.closeFd(namespace.fd);
  }
}

const names = async (host: Host, namespace: NamespaceRef): Promise<string[]> =>
  (await host.links(namespace)).map(({ name }) => name);

function links(host: Host): void {
  it('a new namespace has loopback and nothing else', () =>
    inNetns(host, async (namespace) => {
      const [lo, ...others] = await host.links(namespace);
      assert.deepEqual([lo?.name, lo?.up, others.length], ['lo', true, 0]);
      assert.ok((await host.addresses(namespace)).some(({ address }) => address === '127.0.0.1/8'));
      assert.deepEqual(await host.routes(namespace), []);
    }));

  it('a namespace is reached by its descriptor, by its path, and opened again', () =>
    inNetns(host, async (namespace) => {
      await host.link({ fd: namespace.fd }, bridge('br0'));
      assert.deepEqual(await names(host, { path: namespace.path }), ['lo', 'br0']);
      const again = await host.openNetns(namespace.path);
      assert.deepEqual(await names(host, { fd: again }), ['lo', 'br0']);
      host.closeFd(again);
      await assert.rejects(host.openNetns('/nonexistent/netns'), fails('ENOENT'));
      await assert.rejects(host.links({ path: '/nonexistent/netns' }), fails('ENOENT'));
    }));

  it('bridge, address and connected route', () =>
    inNetns(host, async (namespace) => {
      await host.link(namespace, bridge('br0'));
      const made = (await host.links(namespace)).find(({ name }) => name === 'br0');
      assert.deepEqual(
        [made?.kind, made?.mtu, made?.mac, made?.alias, made?.up, made?.master],
        ['bridge', 1400, '02:42:00:00:00:01', 'a bridge', true, 0],
      );
      const own = (await host.addresses(namespace)).filter(({ linkIndex }) => linkIndex === made?.index);
      assert.ok(own.some(({ address, family }) => address === '10.99.0.1/24' && family === 4));
      const routes = (await host.routes(namespace)).filter(({ family }) => family === 4);
      assert.deepEqual(routes, [
        { family: 4, destination: '10.99.0.0/24', gateway: '', linkIndex: made?.index },
      ]);
      await host.link(namespace, [{ op: 'addAddress', name: 'br0', address: '10.99.0.1/24' }]);
    }));

  it('renames, resizes and moves', () =>
    inNetns(host, async (from) =>
      inNetns(host, async (to) => {
        await host.link(from, [
          { op: 'createBridge', name: 'br0', mtu: 1500 },
          veth(from),
          { op: 'setLink', name: 'eth0', newName: 'eth1', mtu: 1300 },
          { op: 'moveLink', name: 'eth1', namespace: to, newName: 'eth7' },
          { op: 'setBridgePort', name: 'veth0', hairpin: true },
        ]);
        assert.deepEqual(await names(host, from), ['lo', 'br0', 'veth0']);
        const moved = (await host.links(to)).find(({ name }) => name === 'eth7');
        assert.deepEqual([moved?.mtu, moved?.mac, moved?.up], [1300, '02:42:0a:63:00:02', false]);
      }),
    ));

  it('stops at the first operation that is refused, and names it', () =>
    inNetns(host, async (namespace) => {
      const operations: LinkOperation[] = [
        ...bridge('br0'),
        { op: 'createBridge', name: 'br0', mtu: 1500 },
        { op: 'createBridge', name: 'br1', mtu: 1500 },
      ];
      await assert.rejects(host.link(namespace, operations), fails('EEXIST', 3));
      assert.deepEqual(await names(host, namespace), ['lo', 'br0']);
      await assert.rejects(
        host.link(namespace, [{ op: 'setLink', name: 'nix', up: true }]),
        fails('ENODEV', 0),
      );
      const far: LinkOperation = { op: 'addRoute', destination: '0.0.0.0/0', gateway: '10.1.0.1' };
      await assert.rejects(host.link(namespace, [far]), fails('ENETUNREACH', 0));
    }));

  it('undoing what is gone succeeds', () =>
    inNetns(host, async (namespace) => {
      const undo: LinkOperation[] = [
        { op: 'removeRoute', destination: '10.5.0.0/16', gateway: '10.99.0.9' },
        { op: 'removeAddress', name: 'br0', address: '10.99.0.1/24' },
        { op: 'deleteLink', name: 'br0' },
      ];
      await host.link(namespace, undo);
      await host.link(namespace, [
        ...bridge('br0'),
        { op: 'addRoute', destination: '10.5.0.0/16', gateway: '10.99.0.9' },
      ]);
      assert.equal((await host.routes(namespace)).filter(({ family }) => family === 4).length, 2);
      await host.link(namespace, [...undo, ...undo]);
      assert.deepEqual(await names(host, namespace), ['lo']);
      assert.deepEqual(await host.routes(namespace), []);
    }));

  it('one end of a veth takes the other along', () =>
    inNetns(host, async (outside) =>
      inNetns(host, async (inside) => {
        await host.link(outside, [...bridge('br0'), veth(inside)]);
        assert.deepEqual(await names(host, inside), ['lo', 'eth0']);
        await host.link(outside, [{ op: 'deleteLink', name: 'veth0' }]);
        assert.deepEqual(await names(host, inside), ['lo']);
      }),
    ));
}

function programs(host: Host): void {
  const endpoint = (outside: NamespaceRef) => ({
    createNamespace: true,
    steps: [
      {
        namespace: outside,
        operations: [
          {
            ...veth(outside),
            peer: { name: 'eth0', mac: '02:42:0a:63:00:02', namespace: { created: true } },
          },
          { op: 'setLink', name: 'veth0', up: true },
        ] as LinkOperation[],
      },
      {
        namespace: { created: true } as const,
        operations: [
          { op: 'addAddress', name: 'eth0', address: '10.99.0.2/24' },
          { op: 'setLink', name: 'eth0', up: true },
          { op: 'addRoute', destination: '0.0.0.0/0', gateway: '10.99.0.1' },
          { op: 'sysctl', key: 'net/ipv4/ip_unprivileged_port_start', value: '0' },
          { op: 'sysctl', key: 'net/ipv4/no_such_key', value: '0', optional: true },
        ] as LinkOperation[],
        nft: [{ ...table, change: 'addTable' }] as NftChange[],
      },
    ],
  });

  it('makes a whole endpoint in one go', () =>
    inNetns(host, async (outside) => {
      await host.link(outside, bridge('br0'));
      const made = await host.networkProgram(endpoint(outside));
      assert.ok(made !== undefined);
      const [, br0, near] = await host.links(outside);
      assert.deepEqual(
        [near?.name, near?.master, near?.alias, near?.up],
        ['veth0', br0?.index, 'of x', true],
      );
      const eth0 = (await host.links(made)).find(({ name }) => name === 'eth0');
      assert.deepEqual([eth0?.mac, eth0?.mtu, eth0?.up], ['02:42:0a:63:00:02', 1400, true]);
      const routes = (await host.routes(made)).filter(({ gateway }) => gateway !== '');
      assert.deepEqual(routes, [
        { family: 4, destination: '0.0.0.0/0', gateway: '10.99.0.1', linkIndex: eth0?.index },
      ]);
      await host.nftApply(made, [{ ...table, change: 'deleteTable' }]);
      host.closeFd(made.fd);
    }));

  it('a refused step is named by its position over all steps', () =>
    inNetns(host, async (outside) => {
      await host.link(outside, bridge('br0'));
      const { steps } = endpoint(outside);
      const bad = { operations: [{ op: 'setLink', name: 'nix', up: true }] as LinkOperation[] };
      const program = {
        createNamespace: true,
        steps: [...steps, { ...bad, namespace: { created: true } as const }],
      };
      await assert.rejects(host.networkProgram(program), fails('ENODEV', 8));
      const nft: NftChange[] = [
        { ...table, change: 'addTable' },
        { ...table, table: 'nix', change: 'deleteTable' },
      ];
      const inside = {
        namespace: outside,
        operations: [{ op: 'setLink', name: 'lo', up: true }] as LinkOperation[],
      };
      await assert.rejects(
        host.networkProgram({ steps: [inside, { namespace: outside, nft }] }),
        fails('ENOENT', 2),
      );
    }));

  it('makes no namespace when it is not asked to', () =>
    inNetns(host, async (outside) => {
      const step = { namespace: outside, operations: bridge('br0') };
      assert.equal(await host.networkProgram({ steps: [step] }), undefined);
      assert.deepEqual(await names(host, outside), ['lo', 'br0']);
    }));
}

const ports = { ...table, set: 'ports' } as const;
const element = (port: number, to: number, comment?: string) => ({
  key: bytes(6, 0, 0, 0, 0, port, 0, 0),
  data: bytes(10, 99, 0, to, 0, 80, 0, 0),
  ...(comment === undefined ? {} : { comment }),
});
const makeTable: NftChange[] = [
  { ...table, change: 'addTable' },
  { ...ports, change: 'addSet', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  {
    ...table,
    change: 'addChain',
    chain: 'pre',
    hook: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
  },
  { ...table, change: 'addChain', chain: 'side' },
];

function tables(host: Host): void {
  it('a transaction is accepted whole or not at all', () =>
    inNetns(host, async (namespace) => {
      await host.nftApply(namespace, makeTable);
      await host.nftApply(namespace, makeTable);
      const bad: NftChange[] = [
        { ...ports, change: 'addElements', elements: [element(80, 2)] },
        { ...table, change: 'flushChain', chain: 'nix' },
        { ...ports, change: 'addElements', elements: [element(81, 2)] },
      ];
      await assert.rejects(host.nftApply(namespace, bad), fails('ENOENT', 1));
      assert.deepEqual(await host.nftElements(namespace, ports), []);
    }));

  it('elements: added, exclusive, deleted, flushed', () =>
    inNetns(host, async (namespace) => {
      await host.nftApply(namespace, makeTable);
      const add = (exclusive: boolean, ...elements: ReturnType<typeof element>[]): Promise<void> =>
        host.nftApply(namespace, [{ ...ports, change: 'addElements', elements, exclusive }]);
      await add(true, element(80, 2, 'web'));
      await add(false, element(80, 2));
      await assert.rejects(add(true, element(80, 2)), fails('EEXIST', 0));
      assert.deepEqual(await host.nftElements(namespace, ports), [element(80, 2, 'web')]);
      const remove: NftChange = {
        ...ports,
        change: 'deleteElements',
        elements: [{ key: element(80, 2).key }],
      };
      await host.nftApply(namespace, [remove]);
      await assert.rejects(host.nftApply(namespace, [remove]), fails('ENOENT', 0));
      await add(false, element(1, 2), element(2, 2), element(3, 2));
      assert.equal((await host.nftElements(namespace, ports))?.length, 3);
      await host.nftApply(namespace, [{ ...ports, change: 'flushSet' }]);
      assert.deepEqual(await host.nftElements(namespace, ports), []);
    }));

  it('tells a set that is not there from an empty one', () =>
    inNetns(host, async (namespace) => {
      assert.equal(await host.nftElements(namespace, ports), undefined);
      await host.nftApply(namespace, [{ ...table, change: 'addTable' }]);
      assert.equal(await host.nftElements(namespace, ports), undefined);
      assert.deepEqual(await host.nftRules(namespace, { ...table, chain: 'nix' }), []);
    }));

  it('chains and rules: listed, put first, deleted by handle', () =>
    inNetns(host, async (namespace) => {
      const pre = { ...table, chain: 'pre' } as const;
      const rule = (comment: string, first: boolean): NftChange => ({
        ...pre,
        change: 'addRule',
        expressions: [{ expr: 'verdict', verdict: { verdict: 'jump', chain: 'side' } }],
        comment,
        first,
      });
      await host.nftApply(namespace, [
        ...makeTable,
        rule('one', false),
        rule('two', false),
        rule('zero', true),
      ]);
      assert.deepEqual(
        [...(await host.nftChains(namespace))].sort((a, b) => a.chain.localeCompare(b.chain)),
        [
          { ...table, chain: 'pre', hook: 'prerouting', type: 'nat', priority: -100, policy: 'accept' },
          { ...table, chain: 'side', hook: '', type: '', priority: 0, policy: '' },
        ],
      );
      const rules = await host.nftRules(namespace, pre);
      assert.deepEqual(
        rules.map(({ comment }) => comment),
        ['zero', 'one', 'two'],
      );
      await host.nftApply(namespace, [{ ...pre, change: 'deleteRule', handle: rules[1]?.handle ?? 0n }]);
      assert.deepEqual(
        (await host.nftRules(namespace, pre)).map(({ comment }) => comment),
        ['zero', 'two'],
      );
      await assert.rejects(
        host.nftApply(namespace, [{ ...table, change: 'deleteChain', chain: 'side' }]),
        fails('EBUSY', 0),
      );
      await host.nftApply(namespace, [
        { ...pre, change: 'flushChain' },
        { ...table, change: 'deleteChain', chain: 'side' },
      ]);
      assert.equal((await host.nftChains(namespace)).length, 1);
    }));

  it('a rule that names what is not there is refused', () =>
    inNetns(host, async (namespace) => {
      await host.nftApply(namespace, makeTable);
      const rule: NftChange = {
        ...table,
        change: 'addRule',
        chain: 'pre',
        expressions: [{ expr: 'lookup', set: 'nix', sreg: 0, dreg: 0 }],
      };
      await assert.rejects(host.nftApply(namespace, [rule]), fails('ENOENT', 0));
      await assert.rejects(
        host.nftApply(namespace, [{ ...table, table: 'nix', change: 'deleteTable' }]),
        fails('ENOENT', 0),
      );
    }));
}

function sockets(host: Host): void {
  it('a port of a namespace is bound once, and free again when the socket is closed', () =>
    inNetns(host, async (namespace) => {
      const open = (port: number, address = '127.0.0.1') =>
        host.openSocket(namespace, { type: 'tcp', address, port, listen: true });
      const first = await open(80);
      assert.equal(first.port, 80);
      await assert.rejects(open(80), fails('EADDRINUSE'));
      await assert.rejects(open(80, '0.0.0.0'), fails('EADDRINUSE'));
      const udp = await host.openSocket(namespace, { type: 'udp', address: '127.0.0.1', port: 80 });
      const free = await open(0);
      assert.ok(free.port > 0 && free.port !== 80);
      host.closeFd(first.fd);
      const again = await open(80);
      for (const { fd } of [udp, free, again]) host.closeFd(fd);
    }));

  it('no connections, nothing to delete', async () => {
    assert.equal(await host.deleteConntrack({ protocol: 'udp', hostPort: 9, hostIp: '192.0.2.1' }), 0);
  });
}

function facts(host: Host): void {
  it('tells about the machine', async () => {
    const told = await host.facts();
    assert.match(told.kernelVersion, /^\d+\.\d+/);
    assert.ok(told.cpus > 0 && told.memoryTotal > 0 && told.uplinkMtu >= 576);
    assert.ok(told.filesystems.includes('proc'));
    const layout = host.cgroupLayout();
    assert.ok(layout.version === 2 || Object.keys(layout.controllers).length > 0);
  });
}
