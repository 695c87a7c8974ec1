/** The shim's wire format, version 1: pure encoders and decoders. `docs/shim-protocol.md` describes it byte for byte. */

export const protocolMin = 1;
export const protocolMax = 1;
export const headerSize = 8;
const magic = 'SLWY';

export const frameType = {
  hello: 0x01,
  state: 0x02,
  failed: 0x03,
  data: 0x04,
  end: 0x05,
  error: 0x06,
  execStarted: 0x07,
  execFailed: 0x08,
  execExit: 0x09,
  attached: 0x0a,
  clientHello: 0x40,
  stdin: 0x41,
  stdinEof: 0x42,
  resize: 0x43,
  exec: 0x44,
  release: 0x45,
} as const;

export const role = { control: 1, attach: 2, exec: 3 } as const;
export const streamBit = { stdin: 1, stdout: 2, stderr: 4 } as const;
export const execFlag = { terminal: 1, stdin: 2 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0 is the container's own process; others are exec'd ones. */
  readonly session: number;
  readonly payload: Buffer;
}

export type Phase = 'starting' | 'running' | 'exited' | 'failed';
const phases: readonly Phase[] = ['starting', 'running', 'exited', 'failed'];

export interface ShimState {
  readonly phase: Phase;
  readonly oomKilled: boolean;
  readonly terminal: boolean;
  /** Whether the exit record is on disk. */
  readonly recorded: boolean;
  readonly pid: number;
  readonly pidStartTicks: string;
  readonly exitCode: number;
  readonly exitSignal: number;
  readonly exitedAtNano: bigint;
  readonly lostLogLines: bigint;
}

export function encodeHeader(type: number, flags: number, session: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(headerSize);
  header[0] = type;
  header[1] = flags;
  header.writeUInt16LE(session, 2);
  header.writeUInt32LE(length, 4);
  return header;
}

export function encodeFrame(type: number, options: Partial<Omit<Frame, 'type'>> = {}): Buffer {
  const payload = options.payload ?? Buffer.alloc(0);
  return Buffer.concat([
    encodeHeader(type, options.flags ?? 0, options.session ?? 0, payload.length),
    payload,
  ]);
}

export function encodeClientHello(
  version: number,
  asRole: (typeof role)[keyof typeof role],
  streams: number,
  session = 0,
): Buffer {
  const payload = Buffer.alloc(8);
  payload.write(magic, 0, 'latin1');
  payload.writeUInt16LE(version, 4);
  payload[6] = asRole;
  payload[7] = streams;
  return encodeFrame(frameType.clientHello, { payload, session });
}

export function encodeResize(session: number, rows: number, columns: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(rows, 0);
  payload.writeUInt16LE(columns, 2);
  return encodeFrame(frameType.resize, { payload, session });
}

/** `path`: the document with the `process` object, absolute. */
export function encodeExec(flags: number, rows: number, columns: number, path: string): Buffer {
  const text = Buffer.from(path);
  const payload = Buffer.alloc(4 + text.length);
  payload.writeUInt16LE(rows, 0);
  payload.writeUInt16LE(columns, 2);
  text.copy(payload, 4);
  return encodeFrame(frameType.exec, { payload, flags });
}

/** The newest version that both sides speak; undefined when there is none or the peer is no shim. */
export function chooseVersion(hello: Buffer): number | undefined {
  if (hello.length < 8 || hello.toString('latin1', 0, 4) !== magic) return undefined;
  const version = Math.min(protocolMax, hello.readUInt16LE(6));
  return version >= Math.max(protocolMin, hello.readUInt16LE(4)) ? version : undefined;
}

export function decodeState(payload: Buffer): ShimState {
  const bits = payload.readUInt8(1);
  return {
    phase: phases[payload.readUInt8(0)] ?? 'failed',
    oomKilled: (bits & 1) !== 0,
    terminal: (bits & 2) !== 0,
    recorded: (bits & 4) !== 0,
    pid: payload.readInt32LE(4),
    pidStartTicks: String(payload.readBigUInt64LE(8)),
    exitCode: payload.readInt32LE(16),
    exitSignal: payload.readInt32LE(20),
    exitedAtNano: payload.readBigUInt64LE(24),
    lostLogLines: payload.readBigUInt64LE(32),
  };
}

/** FAILED and EXEC_FAILED: the runtime's exit status and what it wrote about it. */
export function decodeFailure(payload: Buffer): { status: number; text: string } {
  return { status: payload.readInt32LE(0), text: payload.toString('utf8', 4) };
}

export function decodeExecStarted(payload: Buffer): { pid: number; pidStartTicks: string } {
  return { pid: payload.readInt32LE(0), pidStartTicks: String(payload.readBigUInt64LE(8)) };
}

export function streamBits(options: { stdin: boolean; stdout: boolean; stderr: boolean }): number {
  return (
    (options.stdin ? streamBit.stdin : 0) |
    (options.stdout ? streamBit.stdout : 0) |
    (options.stderr ? streamBit.stderr : 0)
  );
}
