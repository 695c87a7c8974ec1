import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catAttachment, sessionOf } from './fakes/attachment.ts';
import { collect, startServer } from './fakes/server.ts';

/** A client's frame: masked. */
function clientFrame(opcode: number, payload: Buffer, final = true): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] as number)));
  const length = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.alloc(3);
  if (payload.length >= 126) {
    length[0] = 0x80 | 126;
    length.writeUInt16BE(payload.length, 1);
  }
  return Buffer.concat([Buffer.from([(final ? 0x80 : 0) | opcode]), length, mask, masked]);
}

const request =
  'GET /v1.41/containers/c/attach/ws?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

test('attach over a WebSocket: key, echo, ping, close', async (t) => {
  const cat = catAttachment();
  const server = await startServer(t, {
    containers: { attach: () => Promise.resolve(sessionOf(cat, true)) },
  });
  const client = server.connect();
  client.write(Buffer.concat([Buffer.from(request), clientFrame(2, Buffer.from('hello'))]));
  const first = await collect(client, (text) => text.includes('hello'));
  const head = first.toString('latin1');
  assert.match(head, /^HTTP\/1\.1 101 /);
  assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  assert.deepEqual(first.subarray(first.indexOf('\r\n\r\n') + 4), Buffer.from('\x82\x05hello', 'latin1'));

  client.write(clientFrame(9, Buffer.from('p')));
  assert.deepEqual(await collect(client, (text) => text.length >= 3), Buffer.from('\x8a\x01p', 'latin1'));

  const long = Buffer.alloc(300, 'z');
  client.write(
    Buffer.concat([clientFrame(1, long.subarray(0, 100), false), clientFrame(0, long.subarray(100))]),
  );
  const echoed = await collect(client, (text) => text.split('z').length > 300);
  assert.equal(echoed.toString('latin1').split('z').length - 1, 300);

  const end = collect(client);
  client.write(clientFrame(8, Buffer.from([3, 232])));
  assert.deepEqual((await end).subarray(0, 4), Buffer.from([0x88, 2, 3, 232]));
  client.destroy();
  await cat.detached;
});

test('an unmasked frame breaks the protocol and closes', async (t) => {
  const cat = catAttachment();
  const server = await startServer(t, {
    containers: { attach: () => Promise.resolve(sessionOf(cat, true)) },
  });
  const client = server.connect();
  client.write(request);
  await collect(client, (text) => text.includes('\r\n\r\n'));
  const end = collect(client);
  client.write(Buffer.from('\x82\x02no', 'latin1'));
  assert.deepEqual(await end, Buffer.from([0x88, 2, 3, 234]));
  client.end();
});

test('a plain GET of the WebSocket route is refused', async (t) => {
  const cat = catAttachment();
  const server = await startServer(t, {
    containers: { attach: () => Promise.resolve(sessionOf(cat, true)) },
  });
  const answer = await server.request('GET', '/containers/c/attach/ws');
  assert.deepEqual([answer.status, answer.json], [400, { message: 'not websocket protocol' }]);
  await cat.detached;
});
