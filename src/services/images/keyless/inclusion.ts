/** That an entry is in a log, as the log itself vouches for: a path in its Merkle tree (RFC 9162), to a root that it signed (a checkpoint). */

import { createHash, verify, type KeyObject } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { base64, count, list, object, text } from './fields.ts';

export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly root: Buffer;
  /** From the leaf up. */
  readonly path: readonly Buffer[];
  /** Origin, size, root; then signatures. */
  readonly checkpoint: string;
}

const node = (kind: number, ...parts: readonly Buffer[]): Buffer =>
  createHash('sha256')
    .update(Buffer.concat([Buffer.of(kind), ...parts]))
    .digest();

/** Undefined where a bundle has none. */
export function parseProof(value: unknown): InclusionProof | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = object(value, 'inclusionProof');
  return {
    index: count(fields['logIndex'] ?? 0, 'logIndex'),
    size: count(fields['treeSize'], 'treeSize'),
    root: base64(fields['rootHash'], 'rootHash'),
    path: list(fields['hashes'], 'hashes', 64).map((each) => base64(each, 'hashes')),
    checkpoint: text(object(fields['checkpoint'], 'checkpoint')['envelope'], 'checkpoint'),
  };
}

const half = (number: number): number => Math.floor(number / 2);

/** The root of a tree of that size that has the leaf there; undefined when there is none by that path. */
function rootOf(leaf: Buffer, { index, size, path }: InclusionProof): Buffer | undefined {
  if (index >= size) return undefined;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      hash = node(1, sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = node(1, hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? hash : undefined;
}

/** `invalid` unless the log signed a checkpoint of that size and root. Witnesses may have signed it as well. */
function checkCheckpoint({ checkpoint, size, root }: InclusionProof, log: KeyObject): void {
  const end = checkpoint.indexOf('\n\n');
  const signed = checkpoint.slice(0, end + 1);
  const [, says, hash] = signed.split('\n');
  if (end < 0 || says !== String(size) || hash !== root.toString('base64'))
    throw invalid('the log’s checkpoint is about another tree');
  const lines = checkpoint.slice(end + 2).split('\n', 32);
  const isSigned = lines.some((line) => {
    const encoded = /^\u2014 \S+ ([A-Za-z0-9+/]+={0,2})$/.exec(line)?.[1] ?? '';
    // Four bytes that hint at the key come first.
    const signature = Buffer.from(encoded, 'base64').subarray(4);
    const hash = log.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return signature.length > 0 && verify(hash, Buffer.from(signed), log, signature);
  });
  if (!isSigned) throw invalid('the log did not sign its checkpoint');
}

/** `invalid` unless the entry is in the tree that the log signed. */
export function checkInclusion(body: Buffer, proof: InclusionProof, log: KeyObject): void {
  checkCheckpoint(proof, log);
  if (rootOf(node(0, body), proof)?.equals(proof.root) !== true)
    throw invalid('the entry is not in the log’s tree');
}
