/** Carries bytes between the terminal (or pipes) and a container until one side ends or the user leaves. */
import { Demuxer, type Hijacked } from '../../client/index.ts';
import type { Io } from '../io.ts';
import { DetachScanner, parseKeys } from './detach-keys.ts';

export interface SessionInput {
  readonly stream: Hijacked;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: string;
}

export type SessionEnd =
  | { readonly kind: 'ended' | 'detached' }
  | { readonly kind: 'signal'; readonly exitCode: number };

/** 128 plus the number, as shells report a signal's victim. */
const SIGNAL_EXIT: Readonly<Record<string, number>> = { SIGTERM: 143, SIGHUP: 129 };

async function pumpOutput(io: Io, input: SessionInput): Promise<void> {
  if (input.tty) {
    for await (const chunk of input.stream.output) if (input.stdout) await io.stdout.send(chunk);
    return;
  }
  const demuxer = new Demuxer();
  for await (const chunk of input.stream.output) {
    for (const frame of demuxer.feed(chunk)) {
      if (frame.stream === 2) {
        if (input.stderr) await io.stderr.send(frame.data);
      } else if (frame.stream === 3) throw new Error(Buffer.from(frame.data).toString('utf8'));
      else if (input.stdout) await io.stdout.send(frame.data);
    }
  }
}

/** Resolves to true when the user typed the detach keys, else at the end of the input. */
async function pumpInput(io: Io, input: SessionInput): Promise<boolean> {
  const scanner = input.tty ? new DetachScanner(parseKeys(input.detachKeys)) : undefined;
  for await (const chunk of io.stdin.chunks()) {
    const scanned = scanner?.scan(chunk) ?? { bytes: chunk, detached: false };
    if (scanned.bytes.length > 0) await input.stream.write(scanned.bytes);
    if (scanned.detached) return true;
  }
  // The program inside sees the end of its input and may still answer.
  input.stream.closeWrite();
  return false;
}

/** Runs the session; the terminal is as before when it resolves. */
export async function runSession(io: Io, input: SessionInput): Promise<SessionEnd> {
  const raw = input.tty && input.stdin && io.stdin.isTerminal;
  const ended = pumpOutput(io, input).then((): SessionEnd => ({ kind: 'ended' }));
  const ways: Promise<SessionEnd>[] = [ended];
  let unlisten = (): void => undefined;
  if (raw) {
    io.stdin.setRaw(true);
    ways.push(
      new Promise((resolve) => {
        unlisten = io.onSignals(['SIGTERM', 'SIGHUP'], (signal) => {
          resolve({ kind: 'signal', exitCode: SIGNAL_EXIT[signal] ?? 1 });
        });
      }),
    );
  }
  if (input.stdin) {
    // A finished input is no end of the session; leaving by the detach keys is.
    const left = pumpInput(io, input).then((detached): SessionEnd | Promise<SessionEnd> =>
      detached ? { kind: 'detached' } : ended,
    );
    left.catch(() => undefined);
    ways.push(left);
  }
  try {
    return await Promise.race(ways);
  } finally {
    unlisten();
    if (raw) io.stdin.setRaw(false);
    if (input.stdin) io.stdin.close();
    ended.catch(() => undefined);
    input.stream.destroy();
  }
}
