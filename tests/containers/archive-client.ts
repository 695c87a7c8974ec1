/** The archive requests of the API over an engine's socket, and tar archives by a few words. */

import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import {
  encodeHeader,
  simpleHeader,
  tarEnd,
  tarEntries,
  tarPadding,
  type TarType,
} from '../../src/core/tar/index.ts';

export interface TarFile {
  readonly name: string;
  readonly type?: TarType;
  readonly content?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly linkName?: string;
}

export function tarOf(...files: readonly TarFile[]): Buffer {
  const parts = files.flatMap((file) => {
    const content = Buffer.from(file.content ?? '');
    const header = simpleHeader(file.name, {
      type: file.type ?? 'file',
      mode: file.mode ?? 0o644,
      uid: file.uid ?? 0,
      gid: file.gid ?? 0,
      mtime: file.mtime ?? 1_000_000_000,
      size: content.length,
    });
    return [encodeHeader({ ...header, linkName: file.linkName ?? '' }), content, tarPadding(content.length)];
  });
  return Buffer.concat([...parts, tarEnd]);
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

export interface ArchiveAnswer {
  readonly status: number;
  readonly message: string;
  readonly stat: PathStat | undefined;
  readonly body: Buffer;
}

export function archiveRequest(
  socketPath: string,
  method: 'GET' | 'HEAD' | 'PUT',
  container: string,
  query: Readonly<Record<string, string>>,
  body?: Buffer,
): Promise<ArchiveAnswer> {
  const path = `/containers/${container}/archive?${new URLSearchParams(query).toString()}`;
  const headers = body === undefined ? {} : { 'Content-Type': 'application/x-tar' };
  return new Promise((resolve, reject) => {
    const client = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        const stat = response.headers['x-docker-container-path-stat'];
        const failed = status >= 400 && whole.length > 0;
        resolve({
          status,
          message: failed ? (JSON.parse(whole.toString()) as { message: string }).message : '',
          stat: typeof stat === 'string' ? (JSON.parse(atob(stat)) as PathStat) : undefined,
          body: whole,
        });
      });
    });
    client.on('error', reject);
    client.end(body);
  });
}

export interface Member {
  readonly name: string;
  readonly type: TarType;
  readonly uid: number;
  readonly gid: number;
  readonly content: string;
}

/** What is in an archive, in its order. */
export async function membersOf(archive: Buffer): Promise<readonly Member[]> {
  const members: Member[] = [];
  for await (const { header, body } of tarEntries(Readable.from([archive]) as AsyncIterable<Buffer>)) {
    const chunks: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
    const { name, type, uid, gid } = header;
    members.push({ name, type, uid, gid, content: Buffer.concat(chunks).toString() });
  }
  return members;
}
