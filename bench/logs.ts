/** How fast output gets into the log and out of it again: a container that prints a file of 100-byte lines as fast as it can. */

import { once } from 'node:events';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Engine } from './engines.ts';

const api = '/v1.41';
const lineLength = 100;

/** A folder with a file of lines to print. */
export function makeFlood(folder: string, megabytes: number): string {
  const flood = join(folder, 'flood');
  mkdirSync(flood, { recursive: true });
  const megabyte = `${'x'.repeat(lineLength - 1)}\n`.repeat(1e6 / lineLength);
  writeFileSync(join(flood, 'lines'), '');
  for (let written = 0; written < megabytes; written += 1) appendFileSync(join(flood, 'lines'), megabyte);
  return flood;
}

interface Flood {
  readonly folder: string;
  readonly megabytes: number;
}

async function createFlooder(engine: Engine, flood: Flood): Promise<string> {
  const answer = await engine.http.request(
    'POST',
    `${api}/containers/create`,
    JSON.stringify({
      Image: 'busybox:latest',
      Cmd: ['cat', '/flood/lines'],
      HostConfig: {
        Binds: [`${flood.folder}:/flood:ro`],
        LogConfig: { Type: 'json-file', Config: { 'max-size': '100g' } },
      },
    }),
  );
  return (JSON.parse(answer.body) as { Id: string }).Id;
}

/** Kilobytes that the engine's processes hold, by the largest of some looks. */
class PeakMemory {
  readonly #engine: Engine;
  readonly #timer: NodeJS.Timeout;
  peakKb = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#timer = setInterval(() => this.#look(), 200);
  }

  #look(): void {
    const total = this.#engine.processes().reduce((sum, { rssKb }) => sum + rssKb, 0);
    this.peakKb = Math.max(this.peakKb, total);
  }

  stop(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.peakKb / 1024;
  }
}

export interface FloodResult {
  /** Megabytes of output a second. */
  readonly rate: number;
  /** Megabytes of all the engine's processes at the highest. */
  readonly peak: number;
}

/** From start to exit, with nobody reading. */
export async function floodLog(engine: Engine, flood: Flood): Promise<FloodResult> {
  const id = await createFlooder(engine, flood);
  const memory = new PeakMemory(engine);
  const start = performance.now();
  await engine.http.request('POST', `${api}/containers/${id}/start`);
  await engine.http.request('POST', `${api}/containers/${id}/wait`);
  const seconds = (performance.now() - start) / 1000;
  const peak = memory.stop();
  await engine.http.request('DELETE', `${api}/containers/${id}?force=1`);
  return { rate: flood.megabytes / seconds, peak };
}

/** A container that prints without end; the returned function removes it. */
export async function startFlood(engine: Engine): Promise<() => Promise<void>> {
  const answer = await engine.http.request(
    'POST',
    `${api}/containers/create`,
    JSON.stringify({
      Image: 'busybox:latest',
      Cmd: ['yes', 'x'.repeat(lineLength - 1)],
      HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '20m', 'max-file': '3' } } },
    }),
  );
  const { Id: id } = JSON.parse(answer.body) as { Id: string };
  await engine.http.request('POST', `${api}/containers/${id}/start`);
  return async () => {
    await engine.http.request('DELETE', `${api}/containers/${id}?force=1`);
  };
}

/** Bytes of an answer's body. */
async function countBody(engine: Engine, path: string): Promise<number> {
  const asked = request({ socketPath: engine.socket, path });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [AsyncIterable<Buffer>];
  let bytes = 0;
  for await (const piece of answer) bytes += piece.length;
  return bytes;
}

/** From start until a client that follows has every line. */
export async function followLog(engine: Engine, flood: Flood): Promise<FloodResult> {
  const id = await createFlooder(engine, flood);
  const memory = new PeakMemory(engine);
  const start = performance.now();
  await engine.http.request('POST', `${api}/containers/${id}/start`);
  const bytes = await countBody(engine, `${api}/containers/${id}/logs?stdout=1&follow=1`);
  const seconds = (performance.now() - start) / 1000;
  const peak = memory.stop();
  await engine.http.request('DELETE', `${api}/containers/${id}?force=1`);
  const expected = ((flood.megabytes * 1e6) / lineLength) * (lineLength + 8);
  if (bytes !== expected) throw new Error(`${engine.name}: ${bytes} bytes of log instead of ${expected}`);
  return { rate: flood.megabytes / seconds, peak };
}
