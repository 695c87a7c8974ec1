/** Registries in trouble or of ill will: busy, slow, looping; uploads that break. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { ByteRange } from '../../src/core/ports/blob-store.ts';
import { against, serve, sha, stop, type Answer } from './servers.ts';

const ctx = backgroundCtx();
const manifestBytes = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');

test('a server in trouble is asked again, a few times', async () => {
  let requests = 0;
  let well = 3;
  await against(
    (_message, answer) => {
      if (++requests < well) answer.writeHead(503).end();
      else answer.end(manifestBytes);
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', undefined);
      assert.equal(requests, 3);
      well = Number.POSITIVE_INFINITY;
      requests = 0;
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'unavailable',
        message: /unexpected HTTP status: 503/,
      });
      assert.equal(requests, 4);
    },
  );
});

test('too many requests: waits as long as it is asked to, and tells who cannot wait', async () => {
  const asked: number[] = [];
  let header: Record<string, string> = { 'retry-after': '1' };
  await against(
    (_message, answer) => {
      asked.push(performance.now());
      if (asked.length === 1) answer.writeHead(429, header).end();
      else if (header['retry-after'] === '1') answer.end(manifestBytes);
      else
        answer
          .writeHead(429, header)
          .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}');
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', undefined);
      assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) > 900);
      header = { 'retry-after': '3600' };
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'unavailable',
        message: new RegExp(
          `^toomanyrequests: pull rate limit \\(${repository.domain} limits how many requests it serves: try again in 3600 s, or log in for a higher limit: slipway login ${repository.domain}\\)$`,
        ),
      });
      header = {};
      asked.length = 1;
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), /try again later/);
      assert.equal(asked.length, 2);
    },
  );
});

test('cancelling ends the wait for a busy registry', async () => {
  const stopping = new AbortController();
  await against(
    (_message, answer) => {
      answer.writeHead(429, { 'retry-after': '15' }).end(() => stopping.abort());
    },
    async (registry, repository) => {
      const asking = registry.manifest({ ...ctx, signal: stopping.signal }, repository, 'v1', undefined);
      await assert.rejects(asking, /context canceled/);
    },
  );
});

test('a registry that refuses every token is asked twice, not for ever', async () => {
  let requests = 0;
  let tokens = 0;
  const token = await serve((_message, answer) => {
    tokens++;
    answer.end('{"token":"t"}');
  });
  await against(
    (_message, answer) => {
      requests++;
      answer.writeHead(401, { 'www-authenticate': `Bearer realm="${token.base}",service="s"` }).end();
    },
    async (registry, repository) => {
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'forbidden',
        message: 'unauthorized: authentication required',
      });
      assert.deepEqual([requests, tokens], [2, 1]);
    },
  );
  stop(token.server);
});

test('a body that trickles for ever is given up', async () => {
  const timers: NodeJS.Timeout[] = [];
  await against(
    (_message, answer) => {
      answer.writeHead(200);
      timers.push(setInterval(() => answer.write(' '), 20));
    },
    async (registry, repository) => {
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'unavailable',
        message: /too slowly/,
      });
    },
    { idleTimeoutMs: 150 },
  );
  for (const timer of timers) clearInterval(timer);
});

test('credentials do not follow a redirect to another host, nor does a manifest from one that is no manifest count', async () => {
  const seen: (string | undefined)[] = [];
  const other = await serve((message, answer) => {
    seen.push(message.headers.authorization);
    answer.end(manifestBytes);
  });
  await against(
    (message, answer) => {
      if (message.headers.authorization === undefined)
        answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else answer.writeHead(307, { location: `${other.base}${message.url}` }).end();
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', { username: 'me', password: 'secret' });
      assert.deepEqual(seen, [undefined]);
    },
  );
  stop(other.server);
});

/** A registry's uploads, kept in memory. `harm` may break a request. */
function uploads(harm: (message: IncomingMessage, number: number) => boolean): {
  readonly answer: Answer;
  readonly log: string[];
  readonly whole: () => Buffer;
} {
  const parts: Buffer[] = [];
  const log: string[] = [];
  const size = (): number => parts.reduce((sum, part) => sum + part.length, 0);
  const answer: Answer = (message, response) => {
    const range = message.headers['content-range'] ?? '';
    log.push(`${message.method ?? ''} ${range}`.trim());
    if (harm(message, log.length)) {
      message.once('data', () => message.socket.destroy());
      return;
    }
    void buffer(message).then((body) => {
      const headers = { location: `/v2/team/app/blobs/uploads/1?state=${size()}` };
      if (message.method === 'HEAD') response.writeHead(404).end();
      else if (message.method === 'POST') {
        parts.length = 0;
        response.writeHead(202, headers).end();
      } else if (message.method === 'GET')
        response.writeHead(204, { ...headers, range: `0-${size() - 1}` }).end();
      else {
        parts.push(body);
        response.writeHead(message.method === 'PUT' ? 201 : 202, headers).end();
      }
    });
  };
  return { answer, log, whole: () => Buffer.concat(parts) };
}

const data = randomBytes(1_000_000);
const blob = { mediaType: '', digest: sha(data), size: data.length };
const open = async ({ from, to }: ByteRange): Promise<Readable> =>
  Readable.from([data.subarray(from, to)], { objectMode: false });

test('a large blob goes in chunks, and on from where the registry is when the line breaks', async () => {
  const server = uploads((message, number) => message.method === 'PATCH' && number === 4);
  const progress: number[] = [];
  await against(
    server.answer,
    async (registry, repository) => {
      const told = await registry.pushBlob(ctx, repository, blob, { open }, undefined, undefined, (bytes) =>
        progress.push(bytes),
      );
      assert.equal(told.outcome, 'uploaded');
      assert.ok(server.whole().equals(data));
      assert.deepEqual(server.log, [
        'HEAD',
        'POST',
        'PATCH 0-399999',
        'PATCH 400000-799999',
        'GET',
        'PATCH 400000-799999',
        'PATCH 800000-999999',
        'PUT',
      ]);
      assert.equal(progress.at(-1), data.length);
    },
    { uploadChunkSize: 400_000 },
  );
});

test('a small blob whose upload breaks is sent again from the beginning, and not for ever', async () => {
  let broken = 1;
  const server = uploads((message) => message.method === 'PUT' && broken-- > 0);
  await against(server.answer, async (registry, repository) => {
    await registry.pushBlob(ctx, repository, blob, { open }, undefined);
    assert.deepEqual(server.log, ['HEAD', 'POST', 'PUT', 'POST', 'PUT']);
    assert.ok(server.whole().equals(data));
    broken = Number.POSITIVE_INFINITY;
    await assert.rejects(registry.pushBlob(ctx, repository, blob, { open }, undefined), {
      kind: 'unavailable',
    });
    assert.equal(server.log.filter((line) => line === 'PUT').length, 2 + 5);
  });
});

test('whether one may push: only an answer that the upload is unknown shows it, and trouble is not waited out', async () => {
  let status = 0;
  let requests = 0;
  await against(
    (message, answer) => {
      requests++;
      assert.match(`${message.method} ${message.url}`, /^PATCH \/v2\/team\/app\/blobs\/uploads\/[\w-]{36}$/);
      assert.equal(message.headers['content-length'], '0');
      answer.writeHead(status).end();
    },
    async (registry, repository) => {
      for (const [each, shows] of [
        [404, true],
        [400, true],
        [416, true],
        [401, false],
        [403, false],
        [405, false],
        [429, false],
        [202, false],
        [500, false],
        [503, false],
      ] as const) {
        status = each;
        requests = 0;
        assert.equal(await registry.mayPush(ctx, repository, undefined), shows, String(each));
        assert.equal(requests, 1);
      }
    },
  );
});
