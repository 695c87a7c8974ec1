/** Images that a policy wants signed by a certificate of an identity: what an own authority and own logs vouch for, and all that must be refused. */

import assert from 'node:assert/strict';
import { createHash, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import type { Registry } from '../../src/core/ports/registry.ts';
import { readTrustPolicy } from '../../src/services/images/index.ts';
import { createMemoryRegistry } from '../contracts/fakes/memory-registry.ts';
import { ctx, openEngine, tarOf, type Engine } from './engine.ts';
import {
  bundleOf,
  issueLeaf,
  keyPair,
  makeAuthority,
  publicPem,
  type Authority,
  type Leaf,
} from './fulcio.ts';

const none = (): void => {};
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const repository = { domain: 'registry.test', path: 'team/app' };
const reference = 'registry.test/team/app:v1';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

const root = makeAuthority('root');
const between = makeAuthority('between', root);
const stranger = makeAuthority('stranger');
const rekor = keyPair();
const certificates = keyPair();
const issuer = 'https://token.test';
const subject = 'https://code.test/team/app/release.yml@refs/tags/v1';

let folder: string;
let policy: string;
let engine: Engine;
let registry: Registry;
let digest: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-keyless-'));
  policy = join(folder, 'policy.json');
  await writeFile(join(folder, 'root.pem'), root.pem);
  await writeFile(join(folder, 'rekor.pub'), publicPem(rekor.publicKey));
  await writeFile(join(folder, 'ct.pub'), publicPem(certificates.publicKey));
  registry = createMemoryRegistry();
  engine = await openEngine({ registry, trustPolicy: () => readTrustPolicy(policy) });
  const source = Readable.from([tarOf([{ name: 'f', text: 'x' }])], { objectMode: false });
  const { id } = await engine.images.import(
    ctx,
    { source, repository: 'registry.test/team/app', tag: 'v1' },
    none,
  );
  await engine.images.push(ctx, { reference }, none);
  digest = (await registry.manifestDigest(ctx, repository, 'v1', undefined)) ?? '';
  await engine.images.remove(ctx, id, { force: true });
});
after(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

const keyless = { roots: 'root.pem', subject, issuer, rekor: 'rekor.pub' };
const demand = (rule: object): Promise<void> =>
  writeFile(
    policy,
    JSON.stringify({ default: 'reject', rules: [{ match: 'registry.test/**', keyless: rule }] }),
  );

interface Made {
  readonly authority?: Authority;
  readonly leaf?: Partial<Leaf>;
  /** Of the entry in the log; default the certificate's. */
  readonly enteredAt?: Date;
  readonly chain?: string | undefined;
  readonly image?: string;
  /** Changes what is stored beside the signature. */
  readonly notes?: (notes: Record<string, string>) => Record<string, string>;
  /** Changes the bundle after it was signed. */
  readonly bundle?: (bundle: Record<string, unknown>) => unknown;
  readonly log?: typeof rekor;
}

async function put(data: Buffer, mediaType: string): Promise<object> {
  const descriptor = { mediaType, digest: sha(data), size: data.length };
  const open = async (): Promise<Readable> => Readable.from([data], { objectMode: false });
  await registry.pushBlob(ctx, repository, descriptor, { open }, undefined);
  return descriptor;
}

/** Stores a signature by certificate as cosign does. */
async function signed(made: Made = {}): Promise<void> {
  const at = new Date(Date.now() - 3_600_000);
  const leaf = { subject, issuer, at, ...made.leaf };
  const { pem, key } = issueLeaf(made.authority ?? between, leaf);
  const critical = {
    identity: { 'docker-reference': 'registry.test/team/app' },
    image: { 'docker-manifest-digest': made.image ?? digest },
    type: 'cosign container image signature',
  };
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }));
  const signature = sign('sha256', payload, key);
  const entry = { payload, signature, pem, at: made.enteredAt ?? at };
  const bundle = bundleOf(made.log ?? rekor, entry);
  const notes = {
    'dev.cosignproject.cosign/signature': signature.toString('base64'),
    'dev.sigstore.cosign/certificate': pem,
    'dev.sigstore.cosign/chain': 'chain' in made ? (made.chain ?? '') : between.pem + root.pem,
    'dev.sigstore.cosign/bundle': JSON.stringify(made.bundle?.(bundle) ?? bundle),
  };
  const layer = await put(payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  const config = await put(Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json');
  const layers = [{ ...layer, annotations: made.notes?.(notes) ?? notes }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociManifest, config, layers }));
  const tag = `${digest.replace(':', '-')}.sig`;
  await registry.pushManifest(ctx, repository, tag, ociManifest, bytes, undefined);
}

async function accepted(): Promise<void> {
  await engine.images.pull(ctx, { reference }, none);
  await engine.images.remove(ctx, reference, { force: true });
}
const refused = (words: RegExp): Promise<void> =>
  assert.rejects(engine.images.pull(ctx, { reference }, none), { kind: 'forbidden', message: words });

test('an identity of a trusted authority, entered in the logs: pulled, whatever the clock says now', async () => {
  await demand(keyless);
  await signed();
  await accepted();
  // By the root itself, without a chain.
  await signed({ authority: root, chain: undefined });
  await accepted();
  await demand({ ...keyless, subject: 'https://code.test/team/**' });
  await accepted();
  await demand({ ...keyless, subject: 'ali@team.test' });
  await signed({ leaf: { subject: 'ali@team.test', kind: 'mail' } });
  await accepted();
});

test('the log of certificates, where it is asked for', async () => {
  await demand({ ...keyless, certificateLog: 'ct.pub' });
  await signed();
  await refused(/its certificate was entered in no log$/);
  await signed({ leaf: { log: certificates } });
  await accepted();
  await signed({ authority: root, chain: undefined, leaf: { log: certificates } });
  await accepted();
  await signed({ leaf: { log: rekor } });
  await refused(/its certificate is not signed by the log of certificates$/);
});

test('another identity, issuer, authority, time, use, image or log: refused', async () => {
  await demand(keyless);
  const at = new Date(Date.now() - 3_600_000);
  const cases: readonly (readonly [Made, RegExp])[] = [
    [
      { leaf: { subject: `${subject}x` } },
      /one is by https:\/\/code\.test\/team\/app\/release\.yml@refs\/tags\/v1x$/,
    ],
    [{ leaf: { issuer: 'https://other.test' } }, /the issuer is "https:\/\/other\.test"$/],
    [{ authority: stranger }, /its certificate is by no trusted authority$/],
    [{ authority: stranger, chain: stranger.pem }, /its certificate is by no trusted authority$/],
    [{ chain: undefined }, /its certificate is by no trusted authority$/],
    [
      { leaf: { at }, enteredAt: new Date(at.getTime() + 600_000) },
      /its certificate was not valid when it was signed$/,
    ],
    [{ leaf: { use: '1.3.6.1.5.5.7.3.1' } }, /its certificate is not for signing$/],
    [{ image: `sha256:${'1'.repeat(64)}` }, /it is for another image$/],
    [{ log: keyPair() }, /its bundle is by another log$/],
  ];
  for (const [made, words] of cases) {
    await signed(made);
    await refused(words);
  }
  await writeFile(
    policy,
    JSON.stringify({ default: 'reject', rules: [{ match: 'registry.test/**', keys: ['rekor.pub'] }] }),
  );
  await signed();
  await refused(/one is not by any of its keys$/);
});

test('bundles and certificates that are malformed, changed or about something else are refused', async () => {
  await demand(keyless);
  const other = issueLeaf(between, { subject, issuer, at: new Date(Date.now() - 3_600_000) });
  const payloadOf = (bundle: Record<string, unknown>): Record<string, unknown> =>
    bundle['Payload'] as Record<string, unknown>;
  const cases: readonly (readonly [Made, RegExp])[] = [
    [
      { bundle: (b) => ({ ...b, Payload: { ...payloadOf(b), integratedTime: 1 } }) },
      /the log did not sign its bundle$/,
    ],
    [
      { bundle: (b) => ({ ...b, Payload: { ...payloadOf(b), logIndex: -1 } }) },
      /malformed bundle: no logIndex$/,
    ],
    [{ bundle: (b) => ({ ...b, Payload: 'x' }) }, /malformed bundle: no Payload$/],
    [
      { bundle: (b) => ({ ...b, SignedEntryTimestamp: '*' }) },
      /malformed bundle: SignedEntryTimestamp is not base64$/,
    ],
    [{ bundle: (b) => ({ ...b, SignedEntryTimestamp: 'AAAA' }) }, /the log did not sign its bundle$/],
    [{ bundle: () => [] }, /malformed bundle: no object$/],
    [{ notes: (n) => ({ ...n, 'dev.sigstore.cosign/bundle': '{' }) }, /bundle: invalid JSON/],
    [{ notes: (n) => ({ ...n, 'dev.sigstore.cosign/bundle': '' }) }, /one was entered in no log$/],
    [{ notes: (n) => ({ ...n, 'dev.sigstore.cosign/certificate': '' }) }, /one has no certificate$/],
    [
      { notes: (n) => ({ ...n, 'dev.sigstore.cosign/certificate': 'x' }) },
      /the certificate of one holds no certificates$/,
    ],
    [
      { notes: (n) => ({ ...n, 'dev.sigstore.cosign/certificate': other.pem }) },
      /one is not by the key of its certificate$/,
    ],
    [
      { notes: (n) => ({ ...n, 'dev.sigstore.cosign/chain': root.pem.replace(/[a-z]/g, 'b') }) },
      /the chain of one: malformed certificate$/,
    ],
  ];
  for (const [made, words] of cases) {
    await signed(made);
    await refused(words);
  }
  // A bundle of another signature by the same identity.
  let earlier = '';
  await signed({ notes: (notes) => ((earlier = notes['dev.sigstore.cosign/bundle'] ?? ''), notes) });
  await signed({ notes: (notes) => ({ ...notes, 'dev.sigstore.cosign/bundle': earlier }) });
  await refused(/the log’s entry is about something else$/);
  assert.deepEqual(await engine.images.list({ all: true }), []);
});

test('a rule that cannot be understood refuses everything', async () => {
  for (const [rule, words] of [
    [{}, /roots must be a text/],
    [{ ...keyless, roots: 'rekor.pub' }, /rekor\.pub holds no certificates/],
    [{ ...keyless, rekor: 'root.pem' }, /root\.pem holds no public key/],
    [{ ...keyless, issuer: '' }, /issuer must be a text/],
    [{ ...keyless, root: 'x' }, /keyless has no field "root"/],
  ] as const) {
    await demand(rule);
    await refused(new RegExp(`the trust policy ${policy} is not usable: .*${words.source}`));
  }
});
