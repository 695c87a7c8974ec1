/** One engine for a file of option tests, and the short forms in which they ask it. */

import { after, before } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { startEngine, type Client, type Engine, type Outcome } from '../../scenarios/engine.ts';

export interface World {
  readonly engine: () => Engine;
  /** A folder on the host that goes with the engine. */
  readonly folder: () => string;
  /** Something to do once the engine is up, before the first test. */
  readonly onOpen: (work: () => void | Promise<void>) => void;
  /** Something to take back before the folder goes. */
  readonly onClose: (undo: () => void) => void;
  /** `run --rm ARGS`; its trimmed output. Driven by `slipway`. */
  readonly run: (...args: string[]) => Promise<string>;
  /** The same by the real docker CLI. */
  readonly docker: (...args: string[]) => Promise<string>;
  /** `run --rm ARGS` that must fail: what was said. */
  readonly refused: (...args: string[]) => Promise<Outcome>;
  /** Any command of `slipway` that must succeed. */
  readonly cli: (...args: string[]) => Promise<string>;
  readonly inspect: (name: string, format: string) => Promise<string>;
  /** A request to the API as it is. */
  readonly api: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;
}

export async function apiRequest(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ socketPath: socket, method, path, headers }, (response) => {
      text(response).then((answer) => {
        const parsed: unknown =
          answer.startsWith('{') || answer.startsWith('[') ? JSON.parse(answer) : answer;
        resolve({ status: response.statusCode ?? 0, body: parsed });
      }, reject);
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Starts the engine before the file's first test and removes all of it after the last. */
export function openWorld(options: Parameters<typeof startEngine>[0] = {}): World {
  let running: Engine | undefined;
  let place = '';
  const undos: (() => void)[] = [];
  const setups: (() => void | Promise<void>)[] = [];
  const engine = (): Engine => {
    if (running === undefined) throw new Error('the engine is not up yet');
    return running;
  };
  before(async () => {
    place = mkdtempSync('/tmp/slip-options-');
    running = await startEngine(options);
    for (const work of setups) await work();
  });
  after(async () => {
    await running?.close();
    for (const undo of undos.toReversed()) undo();
    rmSync(place, { recursive: true, force: true });
  });
  const start = (client: Client, args: readonly string[]): Promise<string> =>
    engine().ok(client, ['run', '--rm', ...args]);
  return {
    engine,
    folder: () => place,
    onOpen: (work) => setups.push(work),
    onClose: (undo) => undos.push(undo),
    run: (...args) => start('slipway', args),
    docker: (...args) => start('docker', args),
    refused: async (...args) => {
      const outcome = await engine().run('slipway', ['run', '--rm', ...args]);
      if (outcome.code === 0) throw new Error(`was not refused: ${args.join(' ')}: ${outcome.stdout}`);
      return outcome;
    },
    cli: (...args) => engine().ok('slipway', args),
    inspect: (name, format) => engine().ok('slipway', ['inspect', name, '--format', format]),
    api: (method, path, body) => apiRequest(engine().socket, method, path, body),
  };
}
