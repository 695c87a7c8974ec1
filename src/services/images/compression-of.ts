import { open } from 'node:fs/promises';
import { detectCompression, type Compression } from '../../core/compression.ts';

/** By the content itself: media types and file names lie. */
export async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return detectCompression(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
