/** nftables and sockets. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Host } from '../../../src/core/ports/host.ts';
import type { NftChange } from '../../../src/core/ports/nft.ts';
import { bytes, fails, inNetns, table } from './helpers.ts';

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

export function tables(host: Host): void {
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

export function sockets(host: Host): void {
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
