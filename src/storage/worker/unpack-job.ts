/** The job that unpacks a layer: from a file that may be compressed and may still be coming in, or from a stream. */

import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { Readable } from 'node:stream';
import {
  decompress,
  decompressDetected,
  detectCompression,
  programOf,
  type Compression,
} from '../../core/compression.ts';
import { collectAsBytesPass } from '../../core/garbage.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { TarParser } from '../../core/tar/index.ts';
import { LayerExtractor } from '../archive/extract.ts';
import { chunksOf, followFile } from './follow-file.ts';
import { inflateFile } from './inflate.ts';
import type { LayerFile } from './protocol.ts';
import type { Run } from './run.ts';

/** Worth starting a process for. */
const isBig = (file: LayerFile): boolean => file.growing !== undefined || statSync(file.path).size > 1 << 20;

/** The first bytes, which tell the compression; as soon as they are there. */
async function headOf(file: LayerFile, check: () => void): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunksOf(file, check, Buffer.allocUnsafeSlow(16))) {
    parts.push(Buffer.from(chunk));
    length += chunk.length;
    if (length >= 8) break;
  }
  return Buffer.concat(parts);
}

type Take = (chunk: Buffer) => void;

const passed = collectAsBytesPass(16 << 20);

/** Hands on the content of a layer's file. A chunk is only valid during the call. */
async function readLayer(
  attributes: FileAttributes,
  input: {
    readonly file: LayerFile;
    readonly compression: Compression | undefined;
    readonly pipePath: string;
  },
  check: () => void,
  take: Take,
): Promise<void> {
  const { file, pipePath } = input;
  const name = input.compression ?? detectCompression(await headOf(file, check));
  if (name === 'none') {
    for await (const chunk of chunksOf(file, check, Buffer.allocUnsafeSlow(512 << 10))) {
      take(chunk);
      passed(chunk.length);
    }
    return;
  }
  const program = isBig(file) ? programOf(name) : undefined;
  if (program !== undefined) {
    await inflateFile(attributes, { file, program, name, pipePath }, check, take);
    return;
  }
  const source = followFile(file, check);
  try {
    await takeAll(decompress(source, name, { chunkSize: 512 << 10 }), check, take);
  } finally {
    source.destroy();
  }
}

/** A stream leaves its chunks behind as garbage. */
async function takeAll(content: Readable, check: () => void, take: Take): Promise<void> {
  for await (const chunk of content) {
    check();
    take(chunk as Buffer);
    passed((chunk as Buffer).length);
  }
}

export const unpack: Run<'unpack'> = async (tools, io, { file, compression, target }) => {
  const attributes = await tools.attributes();
  const extractor = new LayerExtractor(Buffer.from(target).toString('latin1'), () => attributes);
  const parser = new TarParser(extractor);
  const hash = createHash('sha256');
  const check = (): void => io.check();
  const take: Take = (chunk) => {
    hash.update(chunk);
    parser.push(chunk);
  };
  const source = file === undefined ? Readable.from(io.input()) : undefined;
  try {
    if (file !== undefined)
      await readLayer(attributes, { file, compression, pipePath: `${target}.pipe` }, check, take);
    else if (source !== undefined)
      await takeAll(
        compression === undefined ? await decompressDetected(source) : decompress(source, compression),
        check,
        take,
      );
    parser.finish();
    const { size, implicit } = extractor.finish();
    return { diffId: `sha256:${hash.digest('hex')}`, size, implicit };
  } catch (error) {
    extractor.abandon();
    throw error;
  } finally {
    source?.destroy();
  }
};
