/** Receivers of logs, as simple as can be: they keep every message. On loopback ports of the kernel's choice or at a path. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { unzipSync } from 'node:zlib';
import { libc } from '../../src/host/ffi/libc.ts';

export interface Receiver {
  readonly port: number;
  /** Bodies of the messages, in the order of arrival. */
  readonly messages: Buffer[];
  /** Cuts the connections and stops listening. */
  close(): Promise<void>;
}

/** Takes whole messages off the front of what was received; gives the rest back. */
export type Splitter = (received: Buffer, take: (message: Buffer) => void) => Buffer;

const until =
  (end: number): Splitter =>
  (received, take) => {
    let rest = received;
    for (let at = rest.indexOf(end); at >= 0; at = rest.indexOf(end)) {
      take(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
    }
    return rest;
  };

export const byLine = until(0x0a);
export const byZero = until(0);

/** RFC 5425: each message behind its length. */
export const byLength: Splitter = (received, take) => {
  let rest = received;
  for (;;) {
    const space = rest.indexOf(0x20);
    const length = space < 0 ? Number.NaN : Number(rest.toString('latin1', 0, space));
    if (Number.isNaN(length) || rest.length < space + 1 + length) return rest;
    take(rest.subarray(space + 1, space + 1 + length));
    rest = rest.subarray(space + 1 + length);
  }
};

export interface StreamOptions {
  /** A port or a path; 0 for a port of the kernel's choice. */
  readonly at?: number | string;
  readonly split: Splitter;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** What is answered to a message. */
  readonly answer?: (message: Buffer) => Buffer | undefined;
  /** Connections are cut after so many messages each. */
  readonly cutAfter?: number;
}

export async function receiveStream(options: StreamOptions): Promise<Receiver> {
  const messages: Buffer[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    let received: Buffer = Buffer.alloc(0);
    let count = 0;
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      received = options.split(Buffer.concat([received, bytes]), (message) => {
        if (socket.destroyed) return;
        messages.push(Buffer.from(message));
        const answer = options.answer?.(message);
        if (answer !== undefined) socket.write(answer);
        count += 1;
        if (count === options.cutAfter) socket.destroy();
      });
    });
  };
  const server: Server =
    options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  const at = options.at ?? 0;
  if (typeof at === 'string') {
    rmSync(at, { force: true });
    server.listen(at);
  } else server.listen(at, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'string' || address === null ? 0 : address.port,
    messages,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export async function receiveUdp(): Promise<Receiver> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const messages: Buffer[] = [];
  socket.on('message', (message) => messages.push(message));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    messages,
    close: async () => {
      socket.close();
    },
  };
}

/** A unix datagram socket, which Node has no server for. */
export async function receiveUnixDatagrams(path: string): Promise<Receiver> {
  rmSync(path, { force: true });
  const fd = libc.socket(1, 2 | 0o2000000 | 0o4000, 0);
  const name = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path), Buffer.alloc(1)]);
  if (fd < 0 || libc.bind(fd, name, name.length) < 0) throw new Error(`no socket at ${path}`);
  const messages: Buffer[] = [];
  const buffer = Buffer.alloc(1 << 17);
  const timer = setInterval(() => {
    for (;;) {
      const size = libc.recv(fd, buffer, buffer.length, 0x40);
      if (size < 0) return;
      messages.push(Buffer.from(buffer.subarray(0, size)));
    }
  }, 2);
  return {
    port: 0,
    messages,
    close: async () => {
      clearInterval(timer);
      libc.close(fd);
      rmSync(path, { force: true });
    },
  };
}

/** GELF's chunks put together again; what is not in chunks as it is. Everything uncompressed. */
export function gelfMessages(datagrams: readonly Buffer[]): Record<string, unknown>[] {
  const parts = new Map<string, (Buffer | undefined)[]>();
  const whole: Buffer[] = [];
  for (const datagram of datagrams) {
    if (datagram[0] !== 0x1e || datagram[1] !== 0x0f) {
      whole.push(datagram);
      continue;
    }
    const id = datagram.toString('hex', 2, 10);
    const [index = 0, total = 0] = datagram.subarray(10, 12);
    const list = parts.get(id) ?? Array.from<Buffer | undefined>({ length: total });
    list[index] = datagram.subarray(12);
    parts.set(id, list);
    if (list.every((part) => part !== undefined)) whole.push(Buffer.concat(list));
  }
  return whole.map((bytes) => {
    const isPlain = bytes[0] === 0x7b;
    return JSON.parse((isPlain ? bytes : unzipSync(bytes)).toString()) as Record<string, unknown>;
  });
}

/** The native protocol of the journal: fields of one entry. */
export function journalFields(datagram: Buffer): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  for (let at = 0; at < datagram.length;) {
    const end = datagram.indexOf(0x0a, at);
    const line = datagram.subarray(at, end);
    const equals = line.indexOf(0x3d);
    if (equals >= 0) {
      fields.set(line.toString('utf8', 0, equals), line.subarray(equals + 1));
      at = end + 1;
      continue;
    }
    const length = Number(datagram.readBigUInt64LE(end + 1));
    fields.set(line.toString(), datagram.subarray(end + 9, end + 9 + length));
    at = end + 9 + length + 1;
  }
  return fields;
}
