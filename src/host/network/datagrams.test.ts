import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { libc } from '../ffi/libc.ts';
import { createLightHost } from '../light-host.ts';
import type { DatagramAnswer } from './datagrams.ts';

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
      host.answerDatagrams(fd, () => 0),
      0,
      'nothing waits',
    );
    for (let number = 0; number < 40; number++)
      for (const [at, sender] of senders.entries())
        await new Promise((done) => sender.send(`${at} ${number}`, done));
    const sources = new Set<string>();
    const answer: DatagramAnswer = ({ bytes, start, end, source }, out, at) => {
      const from = source();
      sources.add(`${from.address} ${from.port}`);
      const text = bytes.toString('latin1', start, end);
      return text.endsWith(' 7') ? 0 : out.write(`re ${text}`, at);
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
    host.answerDatagrams(fd, ({ start, end }) => {
      assert.equal(end - start, 4096, 'cut');
      return 0;
    });
  } finally {
    for (const sender of senders) sender.close();
    host.closeFd(fd);
    await host.close();
  }
});

const SOL_SOCKET = 1;
/** With it the kernel cuts no message of this socket into datagrams. */
const SO_NO_CHECK = 11;

for (const [how, isCut] of [
  ['as one message that the kernel cuts', true],
  ['one by one where it does not', false],
] as const)
  test(`answers to one asker leave ${how}; each stays a datagram of its own, in order`, async () => {
    const host = createLightHost();
    const { fd, port } = await host.openSocket(undefined, { type: 'udp', address: '127.0.0.1', port: 0 });
    const one = Buffer.from([1, 0, 0, 0]);
    if (!isCut) assert.equal(libc.setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, one, one.length), 0);
    const [asker, other] = [createSocket('udp4'), createSocket('udp4')];
    try {
      const heard: string[] = [];
      await Promise.all(
        [asker, other].map((socket) => new Promise<void>((done) => socket.connect(port, '127.0.0.1', done))),
      );
      asker.on('message', (message) => heard.push(message.toString()));
      other.on('message', (message) => heard.push(`other ${message.toString()}`));
      const sizes = [50, 50, 50, 20, 70, 70, 71, 4096, 4096, 4096, 4096, 4096, 1, 1];
      const texts = sizes.map((size, at) => String.fromCodePoint(97 + at).repeat(size));
      for (const [at] of sizes.entries())
        await new Promise((done) => asker.send(String.fromCodePoint(97 + at), done));
      await new Promise((done) => other.send('b', done));
      const answer: DatagramAnswer = ({ bytes, start }, out, at) =>
        out.write(texts[(bytes[start] ?? 0) - 97] ?? '', at);
      const first = {
        message: Buffer.from('a'),
        source: { address: '127.0.0.1', port: asker.address().port },
      };
      assert.equal(host.answerDatagrams(fd, answer, first), sizes.length + 1);
      while (heard.length < sizes.length + 2) await new Promise((next) => setImmediate(next));
      const own = heard.filter((text) => !text.startsWith('other'));
      assert.deepEqual(own, [texts[0], ...texts]);
      assert.deepEqual(
        heard.filter((text) => text.startsWith('other')),
        [`other ${texts[1]}`],
      );
      assert.equal(host.answerDatagrams(fd, answer), 0, 'nothing is sent twice');
    } finally {
      asker.close();
      other.close();
      host.closeFd(fd);
      await host.close();
    }
  });
