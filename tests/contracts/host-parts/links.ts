/** Links, addresses, routes and whole endpoints. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Host, LinkOperation, NamespaceRef } from '../../../src/core/ports/host.ts';
import type { NftChange } from '../../../src/core/ports/nft.ts';
import { bridge, fails, inNetns, names, table, veth } from './helpers.ts';

export function links(host: Host): void {
  it('a new namespace has loopback and nothing else', () =>
    inNetns(host, async (namespace) => {
      const [lo, ...others] = await host.links(namespace);
      assert.deepEqual([lo?.name, lo?.up, others.length], ['lo', true, 0]);
      assert.ok((await host.addresses(namespace)).some(({ address }) => address === '127.0.0.1/8'));
      assert.deepEqual(await host.routes(namespace), []);
    }));

  it('the network of a new user namespace has loopback and nothing else', async () => {
    const ranges = [{ inside: 0, outside: 100_000, size: 10 }];
    const { user, network } = await host.createUserNamespace({ uids: ranges, gids: ranges });
    const [lo, ...others] = await host.links({ fd: network.fd });
    assert.deepEqual([lo?.name, lo?.up, others.length], ['lo', true, 0]);
    const again = await host.createUserNamespace({ join: user.path });
    for (const { fd } of [user, network, again.user, again.network]) host.closeFd(fd);
  });

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

  it('a tunnel, with what is set for other hosts, and set anew', () =>
    inNetns(host, async (namespace) => {
      const [mac, other] = ['02:42:0a:63:00:02', '02:42:0a:63:00:03'] as const;
      const name = 'vx0';
      const local = '127.0.0.1';
      await host.link(namespace, [
        { op: 'createBridge', name: 'br0', mtu: 1400 },
        { op: 'createVxlan', name, id: 4097, local, port: 4789, mtu: 1400, bridge: 'br0' },
        { op: 'setLink', name, up: true },
        { op: 'addForwarding', name, mac, address: '192.0.2.7' },
        { op: 'addNeighbour', name, mac, address: '10.99.0.2' },
        { op: 'addForwarding', name, mac, address: '192.0.2.8' },
        { op: 'addNeighbour', name, mac: other, address: '10.99.0.2' },
        { op: 'addNeighbour', name, mac: other, address: 'fd00::2' },
      ]);
      const made = (await host.links(namespace)).find((link) => link.name === name);
      const bridge = (await host.links(namespace)).find((link) => link.name === 'br0');
      assert.deepEqual([made?.kind, made?.mtu, made?.master], ['vxlan', 1400, bridge?.index]);
      const told = async (): Promise<readonly string[]> =>
        (await host.neighbours(namespace))
          .filter(({ linkIndex }) => linkIndex === made?.index)
          .map((one) => `${one.kind} ${one.mac} ${one.address}`)
          .toSorted();
      assert.deepEqual(await told(), [
        `forwarding ${mac} 192.0.2.8`,
        `neighbour ${other} 10.99.0.2`,
        `neighbour ${other} fd00::2`,
      ]);
      for (let round = 0; round < 2; round++)
        await host.link(namespace, [
          { op: 'removeForwarding', name, mac, address: '192.0.2.8' },
          { op: 'removeNeighbour', name, address: '10.99.0.2' },
          { op: 'removeNeighbour', name, address: 'fd00::2' },
        ]);
      assert.deepEqual(await told(), []);
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

export function programs(host: Host): void {
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
