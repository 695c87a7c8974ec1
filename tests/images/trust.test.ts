/** Images that a policy wants signed: signatures as cosign writes them, of each kind of key, and all that must be refused. */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createRegistry, type RegistryClient } from '../../src/registry/index.ts';
import { readTrustPolicy } from '../../src/services/images/index.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';

const none = (): void => {};
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

let folder: string;
let registry: TestRegistry;
let client: RegistryClient;
let engine: Engine;
let policy: string;

const keys = {
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: generateKeyPairSync('ed25519'),
  stranger: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
type KeyName = keyof typeof keys;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-trust-'));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  client = createRegistry();
  policy = join(folder, 'policy.json');
  for (const [name, { publicKey }] of Object.entries(keys))
    await writeFile(join(folder, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
});
after(async () => {
  await client.close();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  engine = await openEngine({ trustPolicy: () => readTrustPolicy(policy) });
});
afterEach(() => engine.close());

const write = (value: object): Promise<void> => writeFile(policy, JSON.stringify(value));
const trusting = (...names: KeyName[]): Promise<void> =>
  write({
    default: 'reject',
    rules: [{ match: `${registry.host}/**`, keys: names.map((name) => `${name}.pub`) }],
  });

/** An image in a repository of its own; returns its manifest's digest. */
async function image(path: string): Promise<string> {
  const author = await openEngine();
  try {
    const source = Readable.from([tarOf([{ name: 'f', text: path }])], { objectMode: false });
    const repository = `${registry.host}/${path}`;
    await author.images.import(ctx, { source, repository, tag: 'v1' }, none);
    await author.images.push(ctx, { reference: repository, tag: 'v1' }, none);
  } finally {
    await author.close();
  }
  const digest = await client.manifestDigest(ctx, { domain: registry.host, path }, 'v1', undefined);
  return digest ?? '';
}

interface Claim {
  readonly digest: string;
  readonly name?: string;
  readonly type?: string;
  /** Signed with this instead of what is stored. */
  readonly other?: Buffer;
}

async function put(path: string, data: Buffer, mediaType: string): Promise<object> {
  const descriptor = { mediaType, digest: sha(data), size: data.length };
  const open = async (): Promise<Readable> => Readable.from([data], { objectMode: false });
  await client.pushBlob(ctx, { domain: registry.host, path }, descriptor, { open }, undefined);
  return descriptor;
}

/** Stores a signature as cosign does. `tag`: default that of the digest. */
async function signed(path: string, key: KeyObject, claim: Claim, tag?: string): Promise<string> {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': claim.name ?? `${registry.host}/${path}` },
        image: { 'docker-manifest-digest': claim.digest },
        type: claim.type ?? 'cosign container image signature',
      },
      optional: null,
    }),
  );
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = sign(algorithm, claim.other ?? payload, key).toString('base64');
  const layer = await put(path, payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: await put(path, Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json'),
      layers: [{ ...layer, annotations: { 'dev.cosignproject.cosign/signature': signature } }],
    }),
  );
  const as = tag ?? `${claim.digest.replace(':', '-')}.sig`;
  await client.pushManifest(ctx, { domain: registry.host, path }, as, ociManifest, bytes, undefined);
  return sha(bytes);
}

const pull = (path: string): Promise<unknown> =>
  engine.images.pull(ctx, { reference: `${registry.host}/${path}:v1` }, none);

for (const name of ['ecdsa', 'rsa', 'ed25519'] as const)
  test(`an image signed with a trusted key (${name}) is pulled`, async () => {
    const path = `signed/${name}`;
    const digest = await image(path);
    await signed(path, keys[name].privateKey, { digest });
    await trusting('stranger', name);
    await pull(path);
    await trusting('stranger');
    await assert.rejects(pull(path), {
      kind: 'forbidden',
      message: `${registry.host}/${path}@${digest} is refused by the trust policy: one is not by any of its keys`,
    });
  });

test('no signature, another image’s, one for another name, of something else, or of other bytes: refused, and nothing is left', async () => {
  const state = await stateOf(engine);
  await trusting('ecdsa');
  const { privateKey } = keys.ecdsa;
  const other = `sha256:${'1'.repeat(64)}`;
  const cases: readonly (readonly [string, Omit<Claim, 'digest'> & { digest?: string }, RegExp])[] = [
    ['image', { digest: other }, /of one by ecdsa\.pub it is for another image$/],
    ['name', { name: 'docker.io/library/busybox' }, /it is for the name "docker\.io\/library\/busybox"$/],
    ['type', { type: 'something' }, /it signs something that is no image$/],
    ['bytes', { other: Buffer.from('{}') }, /one is not by any of its keys$/],
  ];
  const digestOf = await image('refused/none');
  await assert.rejects(pull('refused/none'), {
    kind: 'forbidden',
    message: `${registry.host}/refused/none@${digestOf} is refused by the trust policy: it has no signature`,
  });
  for (const [name, claim, words] of cases) {
    const path = `refused/${name}`;
    const digest = await image(path);
    await signed(path, privateKey, { digest, ...claim }, `${digest.replace(':', '-')}.sig`);
    await assert.rejects(pull(path), { kind: 'forbidden', message: words });
  }
  assert.deepEqual(await stateOf(engine), state);
});

test('a signature that refers to the image counts, also for a name that the rule gives', async () => {
  const path = 'signed/referrer';
  const digest = await image(path);
  const signature = await signed(
    path,
    keys.ecdsa.privateKey,
    { digest, name: 'index.docker.io/team/app:v1' },
    'elsewhere',
  );
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        {
          mediaType: ociManifest,
          digest: signature,
          size: 1,
          artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
        },
      ],
    }),
  );
  const repository = { domain: registry.host, path };
  const type = 'application/vnd.oci.image.index.v1+json';
  await client.pushManifest(ctx, repository, digest.replace(':', '-'), type, index, undefined);
  await trusting('ecdsa');
  await assert.rejects(pull(path), /it is for the name "index\.docker\.io\/team\/app:v1"/);
  const rule = { match: `${registry.host}/signed/*`, keys: ['ecdsa.pub'], identity: 'team/*' };
  await write({ default: 'reject', rules: [rule] });
  await pull(path);
});

test('rules: the first that matches decides; the default; a policy that cannot be read refuses everything', async () => {
  await image('free/app');
  await write({ default: 'reject', rules: [] });
  await assert.rejects(pull('free/app'), { kind: 'forbidden', message: /no rule allows it$/ });
  const all = { match: `${registry.host}/**`, keys: ['ecdsa.pub'] };
  await write({ default: 'reject', rules: [{ match: `${registry.host}/free/*`, accept: true }, all] });
  await pull('free/app');
  await write({ default: 'accept', rules: [{ match: 'other.test/**', keys: ['rsa.pub'] }] });
  await pull('free/app');
  for (const [text, words] of [
    ['{', /invalid JSON/],
    ['{}', /default must be "accept" or "reject"/],
    ['{"default":"accept","rule":[]}', /there is no field "rule"/],
    ['{"default":"accept","rules":[{"match":"x"}]}', /the rule for x needs keys/],
    ['{"default":"accept","rules":[{"match":"x","keys":["none.pub"]}]}', /no such file/],
    ['{"default":"accept","rules":[{"match":"x","keys":["policy.json"]}]}', /holds no public key/],
  ] as const) {
    await writeFile(policy, text);
    await assert.rejects(pull('free/app'), {
      kind: 'forbidden',
      message: new RegExp(
        `^nothing can be pulled, because the trust policy ${policy} is not usable: .*${words.source}`,
      ),
    });
  }
});
