/** Runs one command line through our CLI in this process, or through the docker CLI, against the same engine. */
import { spawn } from 'node:child_process';
import type { Io, Sink } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/run-cli.ts';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

const CONFIG_DIRECTORY = '/nonexistent-slipway-config';

function memorySink(chunks: Buffer[]): Sink {
  const push = (text: string | Uint8Array): void => void chunks.push(Buffer.from(text as string));
  return {
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write: push,
    send: (chunk) => Promise.resolve(push(chunk)),
  };
}

export async function runSlipway(args: readonly string[], host: string, input = '', env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const io: Io = {
    env: { HOME: '/root', SLIPWAY_HOST: host, DOCKER_CONFIG: CONFIG_DIRECTORY, PATH: process.env['PATH'], ...env },
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

export function runDocker(args: readonly string[], host: string, input = '', env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('docker', [...args], {
      env: { HOME: '/root', PATH: process.env['PATH'], DOCKER_HOST: host, DOCKER_CONFIG: CONFIG_DIRECTORY, DOCKER_CLI_HINTS: 'false', ...env },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => void out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => void err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), code: code ?? -1 }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Docker's words with our name in them. */
export function renamed(text: string): string {
  return text
    .replaceAll('docker daemon', 'slipway daemon')
    .replaceAll('Docker daemon', 'Slipway daemon')
    .replaceAll(/(?<![\w./-])docker(?![\w./=-]|\.io)/g, 'slipway');
}
