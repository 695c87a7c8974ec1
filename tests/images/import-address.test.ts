/** `import ADDRESS`: what dockerd 26.1 was seen to fetch, to follow and to say. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { issue, makeAuthority } from '../helpers/images/certificates.ts';
import { serve, stop } from '../registry/servers.ts';
import { clients, runProgram, startEngine, type Engine } from '../scenarios/engine.ts';
import { tarOf } from './engine.ts';

const archive = tarOf([{ name: 'f', text: 'x'.repeat(3_000_000) }]);
let engine: Engine;
let server: Server;
let base: string;
const seen: IncomingMessage[] = [];

function answer(message: IncomingMessage, response: ServerResponse): void {
  seen.push(message);
  const start = { 'content-length': archive.length };
  switch (message.url) {
    case '/sized':
      response.writeHead(200, start).end(archive);
      break;
    case '/chunked':
      response.write(archive.subarray(0, 600));
      response.end(archive.subarray(600));
      break;
    case '/moved?a=b':
      response.writeHead(302, { location: '/sized' }).end();
      break;
    case '/round':
      response.writeHead(302, { location: '/round' }).end();
      break;
    case '/cut':
      response.writeHead(200, start);
      response.write(archive.subarray(0, 600), () => response.destroy());
      break;
    case '/trouble':
      response.writeHead(500).end('trouble here');
      break;
    default:
      response.writeHead(404).end('nothing here\n');
  }
}

before(async () => {
  ({ server, base } = await serve(answer));
  engine = await startEngine();
});
after(async () => {
  await engine?.close();
  stop(server);
});

for (const client of clients)
  test(`${client} imports from an address, with changes and a name`, async () => {
    for (const path of ['/sized', '/chunked', '/moved?a=b']) {
      const image = `fetched/${client}`;
      const told = await engine.ok(client, [
        'import',
        '-c',
        'CMD ["/f"]',
        '-m',
        'why',
        `${base}${path}`,
        image,
      ]);
      assert.match(told, /sha256:[0-9a-f]{64}$/);
      const shown = await engine.ok(client, [
        'image',
        'inspect',
        '-f',
        '{{.Size}} {{.Config.Cmd}} {{.Comment}}',
        image,
      ]);
      assert.equal(shown, '3000000 [/f] why');
      await engine.ok(client, ['rmi', image]);
    }
  });

async function create(source: string): Promise<{ status: string; lines: string[] }> {
  const url = `http://engine/images/create?fromSrc=${encodeURIComponent(source)}`;
  const done = await runProgram('curl', [
    '-s',
    '--unix-socket',
    engine.socket,
    '-w',
    '%{http_code}',
    '-X',
    'POST',
    url,
  ]);
  const lines = done.stdout.trim().split('\r\n');
  return { status: lines.at(-1)?.slice(-3) ?? '', lines };
}

test('progress as Docker has it; an address without a scheme means http', async () => {
  const address = base.replace('http://', '');
  const { status, lines } = await create(`${address}/sized`);
  assert.equal(status, '200');
  assert.equal(lines[0], `{"status":"Downloading from ${base}/sized"}`);
  assert.match(
    lines[1] ?? '',
    /^\{"status":"Importing","progressDetail":\{"current":\d+,"total":\d+\},"progress":"\[/,
  );
  assert.match(lines.at(-2) ?? '', /^\{"status":"sha256:[0-9a-f]{64}"\}$/);
  const { lines: unsized } = await create(`${base}/chunked`);
  assert.match(unsized[1] ?? '', /"total":-1\},"progress":"[^[]+B"/);
});

test('what cannot be had is told in docker’s words and status, and nothing is left', async () => {
  const before = await engine.ok('slipway', ['images', '-aq']);
  const dead = await serve(() => {});
  stop(dead.server);
  const { host } = new URL(dead.base);
  const cases: readonly (readonly [string, string, string])[] = [
    [`${base}/none`, '404', `failed to GET ${base}/none with status 404 Not Found: nothing here`],
    [
      `${base}/trouble`,
      '503',
      `failed to GET ${base}/trouble with status 500 Internal Server Error: trouble here`,
    ],
    [`${base}/round`, '400', 'Get "/round": stopped after 10 redirects'],
    [`${dead.base}/x`, '503', `Get "${dead.base}/x": dial tcp ${host}: connect: connection refused`],
    ['ftp://files.test/x', '400', 'Get "ftp://files.test/x": unsupported protocol scheme "ftp"'],
    ['file:///etc/passwd', '400', 'Get "file:///etc/passwd": unsupported protocol scheme "file"'],
    ['/etc/passwd', '400', 'Get "http:///etc/passwd": http: no Host in request URL'],
    ['', '400', 'Get "http:": http: no Host in request URL'],
  ];
  for (const [source, status, message] of cases) {
    const answered = await create(source);
    assert.equal(answered.status, status, source);
    assert.deepEqual(JSON.parse(answered.lines[0]?.replace(/\d{3}$/, '') ?? ''), { message });
  }
  const cut = await create(`${base}/cut`);
  assert.equal(cut.status, '200');
  assert.match(cut.lines.join('\n'), /"error":"unexpected EOF"/);
  assert.equal(await engine.ok('slipway', ['images', '-aq']), before);
});

test('a name and password in the address are for that server alone, and certificates are checked', async () => {
  const other = await serve((message, response) => {
    seen.push(message);
    response.end(archive);
  });
  const first = await serve((message, response) => {
    seen.push(message);
    response.writeHead(307, { location: other.base }).end();
  });
  const folder = mkdtempSync('/tmp/slip-imp-');
  const { key, certificate } = issue(folder, makeAuthority(folder, 'ca'), 'own', [
    'subjectAltName=IP:127.0.0.1',
  ]);
  const secure = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, answer).listen(
    0,
    '127.0.0.1',
  );
  try {
    await once(secure, 'listening');
    seen.length = 0;
    assert.equal((await create(first.base.replace('//', '//ali:sesame@'))).status, '200');
    const basic = `Basic ${Buffer.from('ali:sesame').toString('base64')}`;
    assert.deepEqual(
      seen.map(({ headers }) => headers.authorization),
      [basic, undefined],
    );
    const refused = await create(`https://127.0.0.1:${(secure.address() as AddressInfo).port}/sized`);
    assert.match(refused.lines.join(''), /x509: certificate signed by unknown authority/);
  } finally {
    stop(other.server, first.server, secure);
    rmSync(folder, { recursive: true });
  }
});
