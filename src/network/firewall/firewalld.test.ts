import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { admitBridges, decodeMessage, dismissBridges, encodeCall } from './firewalld.ts';

/** As the bus would send them: what matters of the head is its length and kind. */
function reply(type: number, text: string): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), Buffer.from(`${text}\0`)]);
  body.writeUInt32LE(text.length, 0);
  const head = Buffer.alloc(24);
  head.write('l', 0);
  head[1] = type;
  head[3] = 1;
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(7, 12);
  return Buffer.concat([head, body]);
}

test('a call is encoded as the specification has it', () => {
  const call = { destination: 'a.b', path: '/p', interface: 'i.f', member: 'M', arguments: ['x', 'yz'] };
  const bytes = encodeCall(call, 5);
  assert.equal(bytes.toString('latin1', 0, 4), 'l\x01\0\x01');
  const bodyLength = bytes.readUInt32LE(4);
  assert.equal(bytes.readUInt32LE(8), 5);
  const bodyAt = Math.ceil((16 + bytes.readUInt32LE(12)) / 8) * 8;
  assert.equal(bytes.length, bodyAt + bodyLength);
  assert.deepEqual(
    [...bytes.subarray(bodyAt)],
    [1, 0, 0, 0, 0x78, 0, 0, 0, 2, 0, 0, 0, 0x79, 0x7a, 0],
    'strings at multiples of four',
  );
  assert.ok(bytes.includes(Buffer.from('\x08\x01g\0\x02ss\0', 'latin1')), 'the signature of the arguments');
});

test('messages are read when they are whole; longer texts than there are bytes are none', () => {
  const whole = reply(2, 'trusted');
  for (let length = 0; length < whole.length; length++)
    assert.equal(decodeMessage(whole.subarray(0, length)), undefined);
  assert.deepEqual(decodeMessage(Buffer.concat([whole, whole])), {
    type: 'return',
    text: 'trusted',
    length: whole.length,
  });
  const lying = Buffer.from(whole);
  lying.writeUInt32LE(60_000, 24);
  assert.equal(decodeMessage(lying)?.text, '');
});

const folder = mkdtempSync(join(tmpdir(), 'slip-'));
const zones = new Map<string, string>();
const asked: string[] = [];
let ownZone = false;
let server: Server;
let mood: 'good' | 'refuses' | 'hangs up' | 'fails' = 'good';

function answer(socket: Socket, message: Buffer): void {
  const text = message.toString('latin1');
  const member = ['Hello', 'getInterfaces', 'getZoneOfInterface', 'addInterface', 'removeInterface'].find(
    (name) => text.includes(name),
  );
  asked.push(member ?? '');
  if (mood === 'hangs up' && member !== 'Hello') socket.destroy();
  else if (mood === 'fails' && member !== 'Hello') socket.write(reply(3, 'NOT_RUNNING'));
  else if (member === 'getInterfaces' && !ownZone) socket.write(reply(3, "INVALID_ZONE: 'sliptest'"));
  else {
    const bridge = /br-\w+/.exec(text)?.[0] ?? '';
    if (member === 'addInterface') zones.set(bridge, text.includes('sliptest') ? 'sliptest' : 'trusted');
    if (member === 'removeInterface') zones.delete(bridge);
    // A signal comes first, as after Hello.
    socket.write(Buffer.concat([reply(4, 'NameAcquired'), reply(2, zones.get(bridge) ?? '')]));
  }
}

before(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (chunk) => {
      assert.match(chunk.toString('latin1'), /^\0AUTH EXTERNAL [0-9a-f]+\r\n$/);
      socket.write(mood === 'refuses' ? 'REJECTED\r\n' : 'OK 0123\r\n');
      let begun = false;
      socket.on('data', (more) => {
        const rest = begun ? more : more.subarray(more.indexOf('\r\n') + 2);
        begun = true;
        if (rest.length > 0) answer(socket, rest);
      });
    });
  });
  server.listen(join(folder, 'bus'));
  await once(server, 'listening');
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${join(folder, 'bus')}`;
});
beforeEach(() => {
  zones.clear();
  asked.length = 0;
  ownZone = false;
  mood = 'good';
});
after(() => {
  delete process.env['DBUS_SYSTEM_BUS_ADDRESS'];
  server.close();
  rmSync(folder, { recursive: true });
});

test('bridges without a zone join one, others stay where they are', async () => {
  zones.set('br-work', 'work').set('br-in', 'trusted');
  assert.deepEqual(await admitBridges('sliptest', ['br-new', 'br-work', 'br-in']), {
    zone: 'trusted',
    elsewhere: ['br-work (work)'],
  });
  assert.deepEqual(Object.fromEntries(zones), { 'br-work': 'work', 'br-in': 'trusted', 'br-new': 'trusted' });
  assert.equal(asked.filter((member) => member === 'addInterface').length, 1);
  await dismissBridges('sliptest', ['br-new', 'br-work']);
  assert.deepEqual([...zones.keys()].toSorted(), ['br-in', 'br-work']);
});

test('where an administrator has made a zone of the name of the engine, bridges join that', async () => {
  ownZone = true;
  zones.set('br-in', 'trusted');
  const expected = { zone: 'sliptest', elsewhere: ['br-in (trusted)'] };
  assert.deepEqual(await admitBridges('sliptest', ['br-new', 'br-in']), expected);
  assert.equal(zones.get('br-new'), 'sliptest');
  await dismissBridges('sliptest', ['br-new', 'br-in']);
  assert.deepEqual([...zones], []);
});

test('a bus that refuses, hangs up, fails or is not there is told', async () => {
  mood = 'refuses';
  await assert.rejects(admitBridges('sliptest', ['br-a']), /the message bus refused: REJECTED/);
  mood = 'hangs up';
  await assert.rejects(admitBridges('sliptest', ['br-a']), /closed the connection/);
  mood = 'fails';
  await assert.rejects(admitBridges('sliptest', ['br-a']), /NOT_RUNNING/);
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${join(folder, 'none')}`;
  await assert.rejects(admitBridges('sliptest', ['br-a']), /ENOENT/);
});
