import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader } from './frame-reader.ts';
import {
  chooseVersion,
  decodeState,
  encodeClientHello,
  encodeExec,
  encodeFrame,
  encodeResize,
  frameType,
  role,
  type Frame,
} from './protocol.ts';

/** Bytes as hex, a space after each field. */
const hex = (bytes: Buffer, ...sizes: number[]): string => {
  let at = 0;
  return [1, 1, 2, 4, ...sizes].map((size) => bytes.toString('hex', at, (at += size))).join(' ');
};

test('frames byte for byte', () => {
  assert.equal(hex(encodeFrame(frameType.release)), '45 00 0000 00000000');
  assert.equal(hex(encodeResize(258, 24, 80), 2, 2), '43 00 0201 04000000 1800 5000');
  assert.equal(
    hex(encodeClientHello(1, role.attach, 6, 3), 4, 2, 1, 1),
    '40 00 0300 08000000 534c5759 0100 02 06',
  );
  assert.equal(hex(encodeExec(3, 1, 2, '/p'), 2, 2, 2), '44 03 0000 06000000 0100 0200 2f70');
});

test('a state byte for byte', () => {
  const fields = '02 07 0000 d2040000 1500000000000000 89000000 09000000 0100000000000010 0200000000000000';
  const payload = Buffer.from(fields.replaceAll(' ', ''), 'hex');
  assert.deepEqual(decodeState(Buffer.concat([payload, Buffer.alloc(8)])), {
    phase: 'exited',
    oomKilled: true,
    terminal: true,
    recorded: true,
    pid: 1234,
    pidStartTicks: '21',
    exitCode: 137,
    exitSignal: 9,
    exitedAtNano: 0x1000000000000001n,
    lostLogLines: 2n,
  });
});

test('the newest common version is chosen', () => {
  const hello = (min: number, max: number): Buffer => {
    const bytes = Buffer.from('SLWY\0\0\0\0');
    bytes.writeUInt16LE(min, 4);
    bytes.writeUInt16LE(max, 6);
    return bytes;
  };
  assert.equal(chooseVersion(hello(1, 1)), 1);
  assert.equal(chooseVersion(hello(1, 7)), 1);
  assert.equal(chooseVersion(hello(2, 7)), undefined);
  assert.equal(chooseVersion(Buffer.from('HTTP/1.1')), undefined);
  assert.equal(chooseVersion(Buffer.from('SL')), undefined);
});

test('frames are found however the bytes are cut', () => {
  const bytes = Buffer.concat([
    encodeFrame(frameType.hello, { payload: Buffer.from('hello') }),
    encodeFrame(frameType.data, { flags: 2, payload: Buffer.from('some output') }),
    encodeFrame(frameType.data, { flags: 4, payload: Buffer.alloc(0) }),
    encodeFrame(frameType.end, { session: 9, payload: Buffer.alloc(8) }),
  ]);
  for (let size = 1; size <= bytes.length; size += 1) {
    const seen: string[] = [];
    let output = '';
    const reader = new FrameReader({
      frame: (frame: Frame) => seen.push(`${frame.type}/${frame.session}/${frame.payload.length}`),
      data: (flags, piece) => {
        assert.equal(flags, 2);
        output += String(piece);
      },
    });
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    assert.deepEqual(seen, ['1/0/5', '5/9/8'], `pieces of ${size}`);
    assert.equal(output, 'some output');
  }
});
