import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { createLightHost } from '../light-host.ts';

test('what waits is answered by the batch, each to its sender, and what has no answer is not', async () => {
  const host = createLightHost();
  const { fd, port } = await host.openSocket(undefined, { type: 'udp', address: '127.0.0.1', port: 0 });
  const senders = [createSocket('udp4'), createSocket('udp4')];
  try {
    const heard: string[][] = senders.map(() => []);
    await Promise.all(
      senders.map((sender) => new Promise<void>((done) => sender.connect(port, '127.0.0.1', done))),
    );
    senders.forEach((sender, at) => sender.on('message', (message) => heard[at]?.push(message.toString())));
    assert.equal(
      host.answerDatagrams(fd, () => undefined),
      0,
      'nothing waits',
    );
    for (let number = 0; number < 40; number++)
      for (const [at, sender] of senders.entries())
        await new Promise((done) => sender.send(`${at} ${number}`, done));
    const sources = new Set<string>();
    const answer = (message: Buffer, from: () => { address: string; port: number }): Buffer | undefined => {
      const { address, port: source } = from();
      sources.add(`${address} ${source}`);
      const text = message.toString();
      return text.endsWith(' 7') ? undefined : Buffer.from(`re ${text}`);
    };
    assert.equal(host.answerDatagrams(fd, answer), 64);
    assert.equal(host.answerDatagrams(fd, answer), 16);
    while (heard.some((list) => list.length < 39)) await new Promise((next) => setImmediate(next));
    for (const [at, list] of heard.entries()) {
      const numbers = Array.from({ length: 40 }, (_, number) => number).filter((number) => number !== 7);
      assert.deepEqual(
        list,
        numbers.map((number) => `re ${at} ${number}`),
      );
    }
    const own = senders.map((sender) => `127.0.0.1 ${sender.address().port}`);
    assert.deepEqual(
      [...sources].toSorted((a, b) => (a < b ? -1 : 1)),
      own.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    await new Promise((done) => senders[0]?.send(Buffer.alloc(6000, 1), done));
    host.answerDatagrams(fd, (message) => {
      assert.equal(message.length, 4096, 'cut');
      return undefined;
    });
  } finally {
    for (const sender of senders) sender.close();
    host.closeFd(fd);
    await host.close();
  }
});
