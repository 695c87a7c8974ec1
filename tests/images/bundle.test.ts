/** Images that a policy wants signed, with signatures in sigstore bundles: envelopes and messages, keys and identities, logs and timestamp authorities; and all that must be refused. */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import type { Registry } from '../../src/core/ports/registry.ts';
import { readTrustPolicy } from '../../src/services/images/index.ts';
import { createMemoryRegistry } from '../contracts/fakes/memory-registry.ts';
import {
  bundleOf,
  bundleType,
  entryOf,
  makeTimestampAuthority,
  pae,
  signedBy,
  statementOf,
  statementType,
  type BodyKind,
  type Json,
  type LogOptions,
  type TimestampAuthority,
} from './bundles.ts';
import { ctx, openEngine, tarOf, type Engine } from './engine.ts';
import { issueLeaf, keyPair, makeAuthority, publicPem, type KeyPair } from './fulcio.ts';

const none = (): void => {};
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const repository = { domain: 'registry.test', path: 'team/app' };
const reference = 'registry.test/team/app:v1';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

const root = makeAuthority('root');
const between = makeAuthority('between', root);
const rekor = keyPair();
/** A log of the second version has such a key, and signs no times. */
const tiles: KeyPair = generateKeyPairSync('ed25519');
const team = { ec: keyPair(), long: generateKeyPairSync('ec', { namedCurve: 'P-384' }), ed25519: tiles };
const issuer = 'https://token.test';
const subject = 'https://code.test/team/app/release.yml@refs/tags/v1';

let folder: string;
let policy: string;
let engine: Engine;
let registry: Registry;
let digest: string;
let manifest: Buffer;
let tsa: TimestampAuthority;
let stranger: TimestampAuthority;
let bare: TimestampAuthority;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-bundle-'));
  policy = join(folder, 'policy.json');
  const authority = (
    name: string,
    options: Parameters<typeof makeTimestampAuthority>[1] = {},
  ): TimestampAuthority => {
    mkdirSync(join(folder, name));
    const made = makeTimestampAuthority(join(folder, name), options);
    writeFileSync(join(folder, `${name}.pem`), made.root);
    return made;
  };
  tsa = authority('tsa');
  stranger = authority('stranger');
  bare = authority('bare', { embed: false });
  await writeFile(join(folder, 'root.pem'), root.pem);
  await writeFile(join(folder, 'rekor.pub'), publicPem(rekor.publicKey));
  await writeFile(join(folder, 'tiles.pub'), publicPem(tiles.publicKey));
  for (const [name, { publicKey }] of Object.entries(team))
    await writeFile(join(folder, `${name}.pub`), publicPem(publicKey));
  registry = createMemoryRegistry();
  engine = await openEngine({ registry, trustPolicy: () => readTrustPolicy(policy) });
  const source = Readable.from([tarOf([{ name: 'f', text: 'x' }])], { objectMode: false });
  const { id } = await engine.images.import(
    ctx,
    { source, repository: 'registry.test/team/app', tag: 'v1' },
    none,
  );
  await engine.images.push(ctx, { reference }, none);
  ({
    descriptor: { digest },
    bytes: manifest,
  } = await registry.manifest(ctx, repository, 'v1', undefined));
  await engine.images.remove(ctx, id, { force: true });
});
after(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

const keyless = { roots: 'root.pem', subject, issuer, rekor: 'rekor.pub' };
const demand = (rule: object): Promise<void> =>
  writeFile(policy, JSON.stringify({ default: 'reject', rules: [{ match: 'registry.test/**', ...rule }] }));

async function put(data: Buffer, mediaType: string): Promise<object> {
  const descriptor = { mediaType, digest: sha(data), size: data.length };
  const open = async (): Promise<Readable> => Readable.from([data], { objectMode: false });
  await registry.pushBlob(ctx, repository, descriptor, { open }, undefined);
  return descriptor;
}

/** Stores documents as what refers to the image, and nothing else does. `types`: what the registry tells of each. */
async function refer(documents: readonly unknown[], type: string | undefined = bundleType): Promise<void> {
  const manifests = [];
  for (const document of documents) {
    const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
    const layers = [await put(bytes, bundleType)];
    const config = await put(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const own = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: ociManifest, artifactType: bundleType, config, layers }),
    );
    await registry.pushManifest(ctx, repository, sha(own), ociManifest, own, undefined);
    manifests.push({
      mediaType: ociManifest,
      digest: sha(own),
      size: own.length,
      ...(type !== undefined && { artifactType: type }),
    });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }));
  await registry.pushManifest(ctx, repository, digest.replace(':', '-'), ociIndex, index, undefined);
}

async function accepted(): Promise<void> {
  await engine.images.pull(ctx, { reference }, none);
  await engine.images.remove(ctx, reference, { force: true });
}
const refused = (words: RegExp): Promise<void> =>
  assert.rejects(engine.images.pull(ctx, { reference }, none), { kind: 'forbidden', message: words });

const envelope = (payload: Buffer, signature: Buffer, type = statementType): Json => ({
  dsseEnvelope: {
    payload: payload.toString('base64'),
    payloadType: type,
    signatures: [{ sig: signature.toString('base64') }],
  },
});
const message = (signature: Buffer, of = digest): Json => ({
  messageSignature: {
    messageDigest: { algorithm: 'SHA2_256', digest: Buffer.from(of.slice(7), 'hex').toString('base64') },
    signature: signature.toString('base64'),
  },
});
const enveloped = (key: KeyObject, payload = statementOf(digest), type = statementType): Json =>
  bundleOf(envelope(payload, signedBy(key, pae(type, payload)), type), {});

test('by a key: an envelope, the manifest itself; wherever the registry tells no type of it', async () => {
  for (const [name, { privateKey }] of Object.entries(team)) {
    await demand({ keys: [`${name}.pub`] });
    await refer([enveloped(privateKey)]);
    await accepted();
    await refer([bundleOf(message(signedBy(privateKey, manifest)), {})]);
    await accepted();
  }
  await demand({ keys: ['ec.pub'] });
  for (const type of ['application/vnd.oci.empty.v1+json', undefined]) {
    await refer([enveloped(team.ec.privateKey)], type);
    await accepted();
  }
  await refer([enveloped(team.ec.privateKey)], 'application/spdx+json');
  await refused(/it has no signature$/);
  // One of several is enough, and what cannot be understood beside it does not matter.
  await refer(['{', {}, enveloped(team.long.privateKey), enveloped(team.ec.privateKey)]);
  await accepted();
});

test('what a key signed that is no signature of this image: refused with the reason', async () => {
  await demand({ keys: ['ec.pub'] });
  const key = team.ec.privateKey;
  const other = `sha256:${'1'.repeat(64)}`;
  const provenance = { predicateType: 'https://slsa.dev/provenance/v1' };
  const good = statementOf(digest);
  const cases: readonly (readonly [Json | string, RegExp])[] = [
    [enveloped(key, statementOf(other)), /of one by ec\.pub it is for another image$/],
    [
      enveloped(key, statementOf(digest, provenance)),
      /it attests "https:\/\/slsa\.dev\/provenance\/v1", which is no signature of the image$/,
    ],
    [enveloped(key, statementOf(digest, { _type: 'x' })), /it signs something that is no image$/],
    [enveloped(key, good, 'text/plain'), /it signs "text\/plain", which is no image$/],
    [enveloped(team.long.privateKey), /one is not by any of its keys$/],
    [bundleOf(envelope(good, signedBy(key, good)), {}), /one is not by any of its keys$/],
    [bundleOf(message(signedBy(key, Buffer.from('x'))), {}), /one is not by any of its keys$/],
    [bundleOf(message(signedBy(key, manifest), other), {}), /it is for another image$/],
    ['{', /bundle: invalid JSON/],
    [{ mediaType: bundleType }, /malformed bundle: no verificationMaterial$/],
    [
      { ...enveloped(key), mediaType: 'application/vnd.dev.sigstore.bundle.v1+json' },
      /it is a bundle of the unknown kind/,
    ],
    [{ ...enveloped(key), ...message(signedBy(key, manifest)) }, /it needs one envelope or one signature$/],
    [bundleOf({}, {}), /it needs one envelope or one signature$/],
    [
      bundleOf({ dsseEnvelope: { payload: 'e30=', payloadType: 'x', signatures: [] } }, {}),
      /malformed bundle: no signatures$/,
    ],
    [bundleOf({ messageSignature: { signature: '*' } }, {}), /malformed bundle: signature is not base64$/],
  ];
  for (const [document, words] of cases) {
    await refer([document]);
    await refused(words);
  }
  // A rule that wants a name wants it said.
  await demand({ keys: ['ec.pub'], identity: 'registry.test/team/*' });
  await refer([enveloped(key)]);
  await refused(/it is for the name ""$/);
  const named = { subject: [{ name: 'registry.test/team/app', digest: { sha256: digest.slice(7) } }] };
  await refer([enveloped(key, statementOf(digest, named))]);
  await accepted();
  assert.deepEqual(await engine.images.list({ all: true }), []);
});

interface Made {
  readonly payload?: Buffer;
  readonly log?: KeyPair;
  readonly kind?: BodyKind;
  readonly entry?: Partial<LogOptions>;
  /** Undefined: no entry. */
  readonly change?: (entry: Json) => Json | undefined;
  readonly stamps?: (signature: Buffer) => Buffer[];
  readonly isMessage?: boolean;
  readonly at?: Date;
  readonly chain?: readonly string[];
}

/** Stores a bundle by certificate. */
async function signed(made: Made = {}): Promise<void> {
  const at = made.at ?? new Date();
  const { pem, key } = issueLeaf(made.chain === undefined ? root : between, { subject, issuer, at });
  const payload = made.payload ?? statementOf(digest);
  const bytes = made.isMessage === true ? manifest : pae(statementType, payload);
  const signature = signedBy(key, bytes);
  const about = { message: bytes, payload: made.isMessage === true ? manifest : payload, signature, pem };
  const kind = made.kind ?? (made.isMessage === true ? 'hashedrekord 0.0.1' : 'dsse 0.0.1');
  const entry = entryOf(made.log ?? rekor, about, { kind, at, ...made.entry });
  const changed = made.change === undefined ? entry : made.change(entry);
  const content = made.isMessage === true ? message(signature) : envelope(payload, signature);
  const timestamps = made.stamps?.(signature);
  await refer([
    bundleOf(content, {
      certificate: pem,
      entries: changed === undefined ? [] : [changed],
      ...(made.chain !== undefined && { chain: made.chain }),
      ...(timestamps !== undefined && { timestamps }),
    }),
  ]);
}

test('an identity, its signature in the log: by a promise, with a proof of inclusion in trees of every shape', async () => {
  await demand({ keyless });
  await signed();
  await accepted();
  await signed({ isMessage: true });
  await accepted();
  await signed({ chain: [between.pem] });
  await accepted();
  await signed({ at: new Date(Date.now() - 7_200_000), kind: 'hashedrekord 0.0.1' });
  await accepted();
  for (const size of [1, 2, 5, 8])
    for (let index = 0; index < size; index++) {
      await signed({ entry: { proof: { size, index } } });
      await accepted();
    }
});

test('a log of the second version, and a timestamp authority: in place of the log’s time, or beside it', async () => {
  const later = { ...keyless, rekor: 'tiles.pub', timestamps: 'tsa.pem' };
  const proof = { size: 6, index: 3 };
  const stamps = (signature: Buffer): Buffer[] => [tsa.stamp(signature)];
  await demand({ keyless: later });
  for (const kind of ['dsse 0.0.2', 'hashedrekord 0.0.2'] as const) {
    await signed({ log: tiles, kind, entry: { promise: false, proof }, stamps });
    await accepted();
  }
  await signed({
    log: tiles,
    kind: 'hashedrekord 0.0.2',
    isMessage: true,
    entry: { promise: false, proof },
    stamps,
  });
  await accepted();
  await demand({ keyless: { ...keyless, rekor: 'tiles.pub' } });
  await refused(/nobody trusted says when one was signed$/);

  const { rekor: _log, ...unlogged } = keyless;
  await demand({ keyless: { ...unlogged, timestamps: 'tsa.pem' } });
  await signed({ change: () => undefined, stamps });
  await accepted();
  // Whose certificate does not come along is in the policy's file.
  await demand({ keyless: { ...unlogged, timestamps: 'bare.pem' } });
  await signed({ change: () => undefined, stamps: (signature) => [bare.stamp(signature)] });
  await accepted();
  await demand({ keyless: { ...keyless, timestamps: 'tsa.pem' } });
  await signed({ stamps });
  await accepted();
});

test('entries that are by another log, changed, not in its tree, or about something else: refused', async () => {
  await demand({ keyless });
  const proof = { size: 5, index: 2 };
  const inProof = (entry: Json, more: Json): Json => ({
    ...entry,
    inclusionProof: { ...(entry['inclusionProof'] as Json), ...more },
  });
  const foreign = issueLeaf(root, { subject, issuer, at: new Date() });
  const elsewhere = { message: manifest, payload: manifest, signature: Buffer.from('x'), pem: foreign.pem };
  const cases: readonly (readonly [Made, RegExp])[] = [
    [{ change: () => undefined }, /one was entered in no log$/],
    [{ log: keyPair() }, /its bundle is by another log$/],
    [{ change: (entry) => ({ ...entry, integratedTime: '1' }) }, /the log did not sign its bundle$/],
    [{ change: (entry) => ({ ...entry, canonicalizedBody: 'e30=' }) }, /the log did not sign its bundle$/],
    [{ change: ({ inclusionPromise: _promise, ...entry }) => entry }, /one was entered in no log$/],
    [
      { change: () => entryOf(rekor, elsewhere, { kind: 'dsse 0.0.1', at: new Date() }) },
      /the log’s entry is about something else$/,
    ],
    [
      { kind: 'hashedrekord 0.0.1', change: (entry) => ({ ...entry, logId: {} }) },
      /malformed bundle: no keyId$/,
    ],
    [{ entry: { promise: false, proof } }, /nobody trusted says when one was signed$/],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { logIndex: '3' }) },
      /the entry is not in the log’s tree$/,
    ],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { logIndex: '5' }) },
      /the entry is not in the log’s tree$/,
    ],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { hashes: [] }) },
      /the entry is not in the log’s tree$/,
    ],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { treeSize: '6' }) },
      /the log’s checkpoint is about another tree$/,
    ],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { rootHash: 'AAAA' }) },
      /the log’s checkpoint is about another tree$/,
    ],
    [
      { entry: { proof }, change: (entry) => inProof(entry, { hashes: 'x' }) },
      /malformed bundle: hashes is no list$/,
    ],
    [
      { entry: { proof }, log: tiles, change: ({ inclusionPromise: _promise, ...entry }) => entry },
      /the log did not sign its checkpoint$/,
    ],
    [{ payload: statementOf(`sha256:${'1'.repeat(64)}`) }, /it is for another image$/],
  ];
  for (const [made, words] of cases) {
    await signed(made);
    await refused(words);
  }
});

test('timestamps that are missing, of another signature, by a stranger, for other uses, malformed, or outside of the certificate’s life: refused', async () => {
  const { rekor: _log, ...unlogged } = keyless;
  await demand({ keyless: { ...unlogged, timestamps: 'tsa.pem' } });
  const changed = (answer: Buffer, from: Buffer, to: Buffer): Buffer => {
    const at = answer.lastIndexOf(from);
    assert.ok(at >= 0);
    return Buffer.concat([answer.subarray(0, at), to, answer.subarray(at + from.length)]);
  };
  const cases: readonly (readonly [Made, RegExp])[] = [
    [{}, /one has no timestamp$/],
    [{ stamps: () => [tsa.stamp(Buffer.from('other'))] }, /the timestamp is of another signature$/],
    [{ stamps: (own) => [stranger.stamp(own)] }, /the timestamp’s certificate is by no trusted authority$/],
    [{ stamps: (own) => [bare.stamp(own)] }, /the timestamp comes without its certificate$/],
    [{ stamps: () => [Buffer.from('x')] }, /malformed timestamp$/],
    [{ stamps: (own) => [tsa.stamp(own).subarray(0, 200)] }, /malformed timestamp$/],
    [{ stamps: () => [Buffer.from('3003300102', 'hex')] }, /malformed timestamp$/],
    [{ stamps: () => [Buffer.from('30053003020102', 'hex')] }, /the timestamp was refused$/],
    [
      // The authority's policy, inside of what it signed.
      {
        stamps: (own) => [
          changed(tsa.stamp(own), Buffer.from('06042a030401', 'hex'), Buffer.from('06042a030402', 'hex')),
        ],
      },
      /the timestamp’s signature is about something else$/,
    ],
    [
      { stamps: (own) => [tsa.stamp(own)], at: new Date(Date.now() - 3_600_000) },
      /its certificate was not valid when it was signed$/,
    ],
  ];
  for (const [made, words] of cases) {
    await signed({ change: () => undefined, ...made });
    await refused(words);
  }
  // One of several is enough.
  await signed({
    change: () => undefined,
    stamps: (own) => [Buffer.from('x'), stranger.stamp(own), tsa.stamp(own)],
  });
  await accepted();
});

test('cosign’s older form with a timestamp beside the signature', async () => {
  const { rekor: _log, ...unlogged } = keyless;
  await demand({ keyless: { ...unlogged, timestamps: 'tsa.pem' } });
  await refer([]);
  const { pem, key } = issueLeaf(root, { subject, issuer, at: new Date() });
  const critical = {
    identity: { 'docker-reference': 'registry.test/team/app' },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  };
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }));
  const signature = signedBy(key, payload);
  const store = async (timestamp: string | undefined): Promise<void> => {
    const layer = await put(payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
    const annotations = {
      'dev.cosignproject.cosign/signature': signature.toString('base64'),
      'dev.sigstore.cosign/certificate': pem,
      ...(timestamp !== undefined && { 'dev.sigstore.cosign/rfc3161timestamp': timestamp }),
    };
    const config = await put(Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json');
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: ociManifest,
        config,
        layers: [{ ...layer, annotations }],
      }),
    );
    await registry.pushManifest(
      ctx,
      repository,
      `${digest.replace(':', '-')}.sig`,
      ociManifest,
      bytes,
      undefined,
    );
  };
  await store(JSON.stringify({ SignedRFC3161Timestamp: tsa.stamp(signature).toString('base64') }));
  await accepted();
  await store(undefined);
  await refused(/one has no timestamp$/);
  await store('{}');
  await refused(/malformed bundle: no SignedRFC3161Timestamp$/);
});

test('a rule for timestamps that cannot be understood refuses everything', async () => {
  const { rekor: _log, ...unlogged } = keyless;
  for (const [rule, words] of [
    [unlogged, /keyless needs rekor, timestamps, or both/],
    [{ ...unlogged, timestamps: 'rekor.pub' }, /rekor\.pub holds no certificates/],
    [{ ...keyless, timestamps: 7 }, /timestamps must be a text/],
  ] as const) {
    await demand({ keyless: rule });
    await refused(words);
  }
});
