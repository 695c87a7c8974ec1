/** The two walls around encrypted networks, each alone: nothing open passes on their port, in or out, and other ports stay as they are. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { once } from 'node:events';
import { createHost } from '#src/host/index.ts';
import {
  planBlock,
  planSealTable,
  planSealTableRemoval,
  planUnblock,
} from '#src/network/drivers/overlay/seal.ts';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';

const port = 4788;
const otherPort = 4787;

/** Prints `PORT TEXT` for each datagram that comes to one of the two ports. */
const listener = `for (const port of [${port}, ${otherPort}]) for (const type of ['udp4', 'udp6']) {
  const s = require('dgram').createSocket({ type, ipv6Only: type === 'udp6' });
  s.on('message', (m) => console.log(port + ' ' + m.toString().trim()));
  s.bind(port, () => console.log('up'));
}`;

isolated(import.meta.filename, () => {
  const host = createHost();
  const self = '/proc/self/ns/net';
  const children: { kill(signal: 'SIGKILL'): unknown }[] = [];
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await host.close();
  });
  const sh = (where: string, command: string): number | null =>
    spawnSync('nsenter', [`--net=${where}`, 'bash', '-c', command], { stdio: 'ignore' }).status;

  const listen = async (where: string): Promise<string[]> => {
    const heard: string[] = [];
    const child = spawn('nsenter', [`--net=${where}`, process.execPath, '-e', listener], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    child.stdout.on('data', (chunk: Buffer) => heard.push(...chunk.toString().trim().split('\n')));
    while (heard.filter((line) => line === 'up').length < 4) await once(child.stdout, 'data');
    return heard;
  };

  test('open packets pass neither wall', async () => {
    const far = await host.createNetns();
    assert.equal(
      sh(
        self,
        `ip link add near type veth peer name far && ip link set far netns ${far.path} && ip addr add 192.0.2.2/24 dev near && ip addr add fd02::2/64 dev near nodad && ip link set near up`,
      ),
      0,
    );
    assert.equal(
      sh(
        far.path,
        'ip addr add 192.0.2.1/24 dev far && ip addr add fd02::1/64 dev far nodad && ip link set far up',
      ),
      0,
    );
    const heard = { here: await listen(self), there: await listen(far.path) };
    let round = 0;
    /** What came of a packet on the port, each way and in each version, when one on the other port has come. */
    const passes = async (): Promise<readonly string[]> => {
      round++;
      const passed: string[] = [];
      for (const [name, from, lines, addresses] of [
        ['in', far.path, heard.here, ['192.0.2.2', 'fd02::2']],
        ['out', self, heard.there, ['192.0.2.1', 'fd02::1']],
      ] as const)
        for (const address of addresses) {
          const text = `${round}-${address}`;
          sh(from, `echo ${text} > /dev/udp/${address}/${port}`);
          await eventually(`${text} on the other port`, async () => {
            sh(from, `echo ${text} > /dev/udp/${address}/${otherPort}`);
            return lines.includes(`${otherPort} ${text}`) || undefined;
          });
          if (lines.includes(`${port} ${text}`)) passed.push(`${name} ${address}`);
        }
      return passed;
    };
    const all = ['in 192.0.2.2', 'in fd02::2', 'out 192.0.2.1', 'out fd02::1'];
    assert.deepEqual(await passes(), all);
    await host.ipsec(undefined, planBlock(port));
    await host.ipsec(undefined, planBlock(port));
    assert.deepEqual(await passes(), [], 'by IPsec s policies alone');
    await host.ipsec(undefined, planUnblock(port));
    await host.ipsec(undefined, planUnblock(port));
    assert.deepEqual(await passes(), all);
    await host.nftApply(undefined, planSealTable('sliptest', port));
    await host.nftApply(undefined, planSealTable('sliptest', port));
    assert.deepEqual(await passes(), [], 'by the rules alone');
    await host.nftApply(undefined, planSealTableRemoval('sliptest'));
    await host.nftApply(undefined, planSealTableRemoval('sliptest'));
    assert.deepEqual(await passes(), all);
    host.closeFd(far.fd);
  });
});
