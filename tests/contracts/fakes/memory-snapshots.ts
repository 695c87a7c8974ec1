import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { conflict, invalid, notFound } from '../../../src/core/errors.ts';
import { chainIdOf } from '../../../src/core/model/image.ts';
import type { FileChange, SnapshotDriver } from '../../../src/core/ports/snapshot-driver.ts';
import { Growth } from '../../../src/core/growth.ts';
import { encodeHeader, simpleHeader, tarEnd, tarEntries, tarPadding } from '../../../src/core/tar/index.ts';

/** Path -> content; undefined for a whiteout. Directories are the paths that others begin with. */
type Files = Map<string, string | undefined>;
interface Layer {
  readonly parent: string | undefined;
  readonly files: Files;
  readonly size: number;
  /** The archive, when it can be made again. */
  readonly archive?: Buffer;
}
interface Snapshot {
  readonly parent: string | undefined;
  readonly files: Files;
}

export interface MemorySnapshots extends SnapshotDriver {
  write(key: string, path: string, text: string): void;
  erase(key: string, path: string): void;
  look(key: string, path: string): string | undefined;
}

async function readLayer(data: Buffer): Promise<Files> {
  const files: Files = new Map();
  for await (const { header, body } of tarEntries(Readable.from([data], { objectMode: false }))) {
    if (header.name.startsWith('../')) throw invalid(`${header.name} is outside of the layer's root`);
    if (header.type !== 'file') continue;
    const whiteout = /^(.*\/)?\.wh\.([^/]+)$/.exec(header.name);
    if (whiteout === null) files.set(header.name, (await buffer(body)).toString());
    else files.set(`${whiteout[1] ?? ''}${whiteout[2] ?? ''}`, undefined);
  }
  return files;
}

function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_part, i) => parts.slice(0, i + 1).join('/'));
}

function pack(files: Files): Readable {
  const names = new Set([...files.keys()].flatMap((path) => parents(path).map((each) => `${each}/`)));
  const out: Buffer[] = [...names].map((name) => encodeHeader(simpleHeader(name, { type: 'directory' })));
  for (const [path, text] of files) {
    const slash = path.lastIndexOf('/') + 1;
    const name = text === undefined ? `${path.slice(0, slash)}.wh.${path.slice(slash)}` : path;
    const data = Buffer.from(text ?? '');
    out.push(encodeHeader(simpleHeader(name, { size: data.length })), data, tarPadding(data.length));
  }
  return Readable.from([Buffer.concat([...out, tarEnd])], { objectMode: false });
}

const sizeOf = (files: Files): number =>
  [...files.values()].reduce((total, text) => total + Buffer.byteLength(text ?? ''), 0);

/** As the explorer of a real driver tells it: lines of files, and the sums of each layer. */
function explored(layers: readonly Files[], tellFiles: boolean): Readable {
  const merged = new Map<string, number>();
  const lines: object[] = [];
  layers.forEach((files, index) => {
    const sums = { added: [0, 0], changed: [0, 0], removed: [0, 0] };
    let hidden = 0;
    for (const [path, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const old = merged.get(path);
      if (text === undefined && old === undefined) continue;
      const kind = text === undefined ? 'removed' : old === undefined ? 'added' : 'changed';
      const size = Buffer.byteLength(text ?? '');
      sums[kind] = [
        (sums[kind][0] ?? 0) + 1,
        (sums[kind][1] ?? 0) + (kind === 'removed' ? (old ?? 0) : size),
      ];
      hidden += old ?? 0;
      if (text === undefined) merged.delete(path);
      else merged.set(path, size);
      if (tellFiles)
        lines.push({ layer: index + 1, path: `/${path}`, kind, type: 'file', size, hidden: old ?? 0 });
    }
    const sum = (of: readonly number[]): object => ({ entries: of[0], bytes: of[1] });
    const { added, changed, removed } = sums;
    const size = sizeOf(files);
    const totals = { added: sum(added), changed: sum(changed), removed: sum(removed) };
    lines.push({ layer: index + 1, size, ...totals, hidden });
  });
  return Readable.from([lines.map((line) => `${JSON.stringify(line)}\n`).join('')], { objectMode: false });
}

/** Layers and snapshots in memory: plain files and whiteouts only. */
const memoryUnlimited = '--storage-opt is supported only where somebody counts: memory';

export function createMemorySnapshots(): MemorySnapshots {
  const layers = new Map<string, Layer>();
  const snapshots = new Map<string, Snapshot>();
  const staged = new Map<string, { readonly data: Buffer; readonly files: Files }>();
  const snapshot = (key: string): Snapshot => {
    const found = snapshots.get(key);
    if (found === undefined) throw notFound(`snapshot ${key} does not exist`);
    return found;
  };
  const layerOf = (chainId: string): Layer => {
    const found = layers.get(chainId);
    if (found === undefined) throw notFound(`layer ${chainId} does not exist`);
    return found;
  };
  const below = (parent: string | undefined, path: string): string | undefined => {
    for (let at = parent; at !== undefined; at = layerOf(at).parent)
      if (layerOf(at).files.has(path)) return layerOf(at).files.get(path);
    return undefined;
  };
  const isBelow = (parent: string | undefined, path: string): boolean => {
    if (below(parent, path) !== undefined) return true;
    for (let at = parent; at !== undefined; at = layerOf(at).parent)
      if ([...layerOf(at).files.keys()].some((each) => each.startsWith(`${path}/`))) return true;
    return false;
  };
  const add = async (data: Buffer, parent: string | undefined, wanted: string | undefined) => {
    const diffId = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    const chainId = chainIdOf(parent, diffId);
    if (wanted !== undefined && wanted !== chainId) throw invalid(`layer content has diff id ${diffId}`);
    const files = await readLayer(data);
    layers.set(chainId, { parent, files, size: sizeOf(files) });
    return { chainId, diffId, size: sizeOf(files) };
  };
  return {
    name: 'memory',
    unlimited: memoryUnlimited,
    status: () => [],
    unpack: async (_ctx, chainId, parent, archive) => {
      const data = await buffer(archive);
      const there = layers.get(chainId);
      return { size: there?.size ?? (await add(data, parent, chainId)).size };
    },
    unpackFile: async (_ctx, { file, compression, read, parent, diffId }) => {
      if (compression !== 'none') createReadStream(file).destroy();
      const data = await readFile(file);
      if (read !== undefined) new Growth(read).reach(data.length);
      return add(data, parent, diffId === undefined ? undefined : chainIdOf(parent, diffId));
    },
    stage: async (_ctx, archive) => {
      const data = await buffer(archive);
      const files = await readLayer(data);
      const key = createHash('sha256').update(`staged ${staged.size} ${data.length}`).digest('hex');
      staged.set(key, { data, files });
      const diffId = `sha256:${createHash('sha256').update(data).digest('hex')}`;
      return { key, diffId, size: sizeOf(files), archiveSize: data.length, implicit: [] };
    },
    publish: async ({ key, diffId, size }, parent) => {
      if (parent !== undefined) layerOf(parent);
      const chainId = chainIdOf(parent, diffId);
      const found = staged.get(key);
      staged.delete(key);
      if (layers.has(chainId)) return chainId;
      if (found === undefined) throw notFound(`no staged layer ${key}`);
      layers.set(chainId, { parent, files: found.files, size, archive: found.data });
      return chainId;
    },
    discard: async ({ key }) => void staged.delete(key),
    remember: async (_ctx, chainId, { file, compression, diffId }) => {
      if (compression !== 'none') return false;
      const data = await readFile(file);
      if (`sha256:${createHash('sha256').update(data).digest('hex')}` !== diffId) return false;
      layers.set(chainId, { ...layerOf(chainId), archive: data });
      return true;
    },
    hasLayer: async (chainId) => layers.has(chainId),
    layer: async (chainId) => {
      const found = layers.get(chainId);
      if (found === undefined) return undefined;
      return { parent: found.parent, size: found.size, archiveSize: found.archive?.length };
    },
    snapshotParent: async (key) => snapshots.get(key)?.parent,
    sync: async () => {},
    describe: async (of) =>
      'layer' in of ? { UpperDir: `/memory/${of.layer}` } : { UpperDir: `/memory/${of.snapshot}` },
    prepare: async (key, parent, { size } = {}) => {
      if (size !== undefined) throw invalid(memoryUnlimited);
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(key))
        throw invalid(`invalid snapshot key ${JSON.stringify(key)}`);
      if (parent !== undefined) layerOf(parent);
      if (snapshots.has(key)) throw conflict(`snapshot ${key} already exists`);
      snapshots.set(key, { parent, files: new Map() });
    },
    ownPlaces: async () => {},
    mount: async (key) => {
      snapshot(key);
      return { path: `/memory/${key}` };
    },
    unmount: async () => {},
    release() {},
    settle: async () => {},
    mountPath: (key) => `/memory/${key}`,
    changes: async (_ctx, key) => {
      const { parent, files } = snapshot(key);
      const found = new Map<string, FileChange>();
      for (const [path, text] of files) {
        for (const directory of parents(path))
          found.set(directory, {
            path: `/${directory}`,
            kind: isBelow(parent, directory) ? 'modified' : 'added',
          });
        const kind = text === undefined ? 'deleted' : isBelow(parent, path) ? 'modified' : 'added';
        found.set(path, { path: `/${path}`, kind });
      }
      return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    },
    diff: async (_ctx, key, options) => {
      const omit = options?.omit ?? [];
      const isKept = (path: string): boolean =>
        !omit.some((each) => `/${path}` === each || `/${path}`.startsWith(`${each}/`));
      return pack(new Map([...snapshot(key).files].filter(([path]) => isKept(path))));
    },
    diffLayer: async (_ctx, chainId) => {
      const { archive, files } = layerOf(chainId);
      return archive === undefined ? pack(files) : Readable.from([archive], { objectMode: false });
    },
    explore: async (_ctx, chainIds, { files }) =>
      explored(
        chainIds.map((chainId) => layerOf(chainId).files),
        files,
      ),
    usage: async (key) => sizeOf(snapshot(key).files),
    list: async () => ({ layers: [...layers.keys()], snapshots: [...snapshots.keys()] }),
    removeSnapshot: async (key) => void snapshots.delete(key),
    removeLayer: async (chainId) => void layers.delete(chainId),
    write: (key, path, text) => void snapshot(key).files.set(path, text),
    erase: (key, path) => void snapshot(key).files.set(path, undefined),
    look: (key, path) => {
      const { parent, files } = snapshot(key);
      return files.has(path) ? files.get(path) : below(parent, path);
    },
  };
}
