/** Runs one command line through our CLI in this process, or through the docker CLI, against the same engine. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Io, Sink } from '../../src/cli/io.ts';
import type { Seen } from './fake-engine.ts';
import { runCli } from '../../src/cli/run-cli.ts';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Its own: no test may read or change the user's own configuration. */
const CONFIG_DIRECTORY = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-cli-config-'));
process.on('exit', () => fs.rmSync(CONFIG_DIRECTORY, { recursive: true, force: true }));

function memorySink(chunks: Buffer[]): Sink {
  const push = (text: string | Uint8Array): void => void chunks.push(Buffer.from(text as string));
  return {
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write: push,
    send: (chunk) => Promise.resolve(push(chunk)),
  };
}

export async function runSlipway(
  args: readonly string[],
  host: string,
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const io: Io = {
    env: {
      HOME: '/root',
      SLIPWAY_HOST: host,
      DOCKER_CONFIG: CONFIG_DIRECTORY,
      PATH: process.env['PATH'],
      ...env,
    },
    stdin: {
      isTerminal: false,
      async *chunks() {
        if (input !== '') yield Buffer.from(input);
      },
      setRaw: () => undefined,
      close: () => undefined,
    },
    stdout: memorySink(out),
    stderr: memorySink(err),
    now: () => Date.now(),
    onSignals: () => () => undefined,
  };
  const code = await runCli(args, io);
  return { stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), code };
}

export function runDocker(
  args: readonly string[],
  host: string,
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('docker', [...args], {
      env: {
        HOME: '/root',
        PATH: process.env['PATH'],
        DOCKER_HOST: host,
        DOCKER_CONFIG: CONFIG_DIRECTORY,
        DOCKER_CLI_HINTS: 'false',
        ...env,
      },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => void out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => void err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
        code: code ?? -1,
      }),
    );
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Times that differ from run to run, masked. */
const steady = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \w+/g, '<time>')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
    .replaceAll(process.cwd(), '<directory>')
    .replaceAll(/\b(since|until)=\d{10}(\.\d+)?/g, '$1=<seconds>')
    .replaceAll(/\/tmp\/slip-cli-[\w-]+/g, '<directory>');

/** Values that say nothing are left out: docker sends all fields, we only those that are set. */
function essence(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(essence).sort(byText);
  if (typeof value !== 'object' || value === null)
    return value === null || value === '' || value === 0 || value === false ? undefined : value;
  const entries = Object.entries(value)
    .filter(([name, item]) => name !== 'ConsoleSize' && !(name === 'MemorySwappiness' && item === -1))
    .map(([name, item]): [string, unknown] => [name, essence(item)])
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => byText(a, b));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

function bodyText(body: string): string {
  if (!/^[[{]/.test(body)) return body;
  return JSON.stringify(essence(JSON.parse(body))) ?? '';
}

/** One line a request, without those that only look: pings and inspects before the deed. */
export function requestLines(seen: readonly Seen[]): string[] {
  return seen
    .filter(
      ({ method, url }) =>
        !url.startsWith('/_ping') && !(method === 'GET' && /^\/containers\/[^/]+\/json$/.test(url)),
    )
    .map(({ method, url, body }) => {
      const [path = '', query = ''] = url.split('?');
      const pairs = [...new URLSearchParams(query)]
        .filter(([, value]) => value !== '')
        .map(([name, value]) => `${name}=${value}`);
      return steady(
        `${method} ${decodeURIComponent(path)}?${pairs.sort().join('&')} ${bodyText(body)}`.trimEnd(),
      );
    })
    .sort();
}

/** Words of a line as a shell would split them; `<<< text` at the end is the input. */
export function parseLine(line: string): { readonly args: readonly string[]; readonly input: string } {
  const [command = '', input = ''] = line.split(' <<< ');
  const words = [...command.matchAll(/"((?:\\.|[^"])*)"|'([^']*)'|(\S+)/g)];
  return { args: words.map((m) => m[1]?.replaceAll('\\"', '"') ?? m[2] ?? m[3] ?? ''), input };
}

export const steadyOutcome = (outcome: Outcome): Outcome => ({
  ...outcome,
  stdout: steady(outcome.stdout),
  stderr: steady(outcome.stderr),
});

/** Docker's words with our name in them. */
export function renamed(text: string): string {
  return text
    .replaceAll('docker daemon', 'slipway daemon')
    .replaceAll('Docker daemon', 'Slipway daemon')
    .replaceAll(/(?<![\w./-])docker(?![\w./=-]|\.io)/g, 'slipway');
}
