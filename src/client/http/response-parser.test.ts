import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Head, ResponseParser } from './response-parser.ts';

interface Seen {
  head: Head | undefined;
  body: string;
  end: boolean | undefined;
}

/** Feeds `text` in pieces of `size` bytes. */
function parse(
  text: string,
  size: number,
  expect = { head: false, hijack: false },
): { seen: Seen; parser: ResponseParser } {
  const seen: Seen = { head: undefined, body: '', end: undefined };
  const parser = new ResponseParser(
    {
      onHead: (head) => {
        seen.head = head;
      },
      onData: (chunk) => {
        seen.body += Buffer.from(chunk).toString('latin1');
      },
      onEnd: (reusable) => {
        seen.end = reusable;
      },
    },
    expect,
  );
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size));
  return { seen, parser };
}

for (const size of [1, 3, 7, 4096]) {
  test(`a body by length, in pieces of ${size}`, () => {
    const { seen } = parse('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello', size);
    assert.equal(seen.head?.status, 200);
    assert.equal(seen.head?.headers.get('x-a'), '1, 2');
    assert.deepEqual([seen.body, seen.end], ['hello', true]);
  });

  test(`a chunked body with extension and trailer, in pieces of ${size}`, () => {
    const { seen } = parse(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n',
      size,
    );
    assert.deepEqual([seen.body, seen.end], ['hello0123456789', true]);
  });

  test(`raw bytes after 101, in pieces of ${size}`, () => {
    const { seen, parser } = parse(
      'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nraw\r\n\r\nbytes',
      size,
      { head: false, hijack: true },
    );
    assert.deepEqual([seen.head?.status, seen.body, seen.end], [101, 'raw\r\n\r\nbytes', undefined]);
    parser.close();
    assert.equal(seen.end, false);
  });
}

test('a hijack that an old engine answers with 200 is raw too, an error is not', () => {
  const ok = parse('HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\nabc', 4096, { head: false, hijack: true });
  assert.equal(ok.seen.body, 'abc');
  const bad = parse('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}', 4096, {
    head: false,
    hijack: true,
  });
  assert.deepEqual([bad.seen.body, bad.seen.end], ['{}', true]);
});

test('no body after HEAD, 204 and 304; Connection: close ends reuse; 100 is skipped', () => {
  assert.equal(
    parse('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 4096, { head: true, hijack: false }).seen.end,
    true,
  );
  assert.equal(parse('HTTP/1.1 204 No Content\r\n\r\n', 4096).seen.end, true);
  assert.equal(parse('HTTP/1.1 304 Not Modified\r\n\r\n', 4096).seen.end, true);
  assert.equal(
    parse('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', 4096).seen.end,
    false,
  );
  const { seen } = parse(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n',
    4096,
  );
  assert.equal(seen.head?.status, 201);
});

test('a body without a length lasts to the end of the connection', () => {
  const { seen, parser } = parse('HTTP/1.1 200 OK\r\n\r\nabc', 4096);
  assert.equal(seen.end, undefined);
  parser.close();
  assert.deepEqual([seen.body, seen.end], ['abc', false]);
});

test('what is cut short or is no HTTP is refused', () => {
  assert.throws(() => parse('SSH-2.0-OpenSSH\r\n\r\n', 4096), /malformed HTTP response/);
  assert.throws(() => parse('HTTP/1.1 200 OK\r\nbroken\r\n\r\n', 4096), /malformed HTTP header/);
  assert.throws(
    () => parse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', 4096),
    /malformed chunk size/,
  );
  assert.throws(() => parse('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 4096), /bad Content-Length/);
  assert.throws(
    () => parse('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 4096).parser.close(),
    /unexpected EOF/,
  );
});
