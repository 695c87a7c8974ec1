/**
 * A firewalld that keeps its table to itself (`NftablesTableOwner`, the default from 2.3 on) takes no rule of ours: there the
 * bridges join its zone `trusted`, or the one of the engine's own name, at run time only, by its own interface on the system's message bus.
 */

import { connect, type Socket } from 'node:net';

const defaultBus = '/run/dbus/system_bus_socket';
const service = 'org.fedoraproject.FirewallD1';
const trusted = 'trusted';
/** The bus's own patience: while firewalld reloads it answers nothing. */
const timeoutMs = 25_000;

type MessageType = 'return' | 'error' | 'other';
const types: Readonly<Record<number, MessageType>> = { 2: 'return', 3: 'error' };
/** Types of header fields, as the D-Bus specification numbers them. */
const field = { path: 1, interface: 2, member: 3, destination: 6, signature: 8 } as const;

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const padded = (bytes: Buffer, to: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
const text = (value: string): Buffer =>
  Buffer.concat([word(Buffer.byteLength(value)), Buffer.from(`${value}\0`)]);
const signature = (value: string): Buffer =>
  Buffer.concat([Buffer.of(value.length), Buffer.from(`${value}\0`)]);

export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly arguments: readonly string[];
}

/** A method call whose arguments are strings, in little-endian form. */
export function encodeCall(call: BusCall, serial: number): Buffer {
  const one = (code: number, type: string, value: Buffer): Buffer =>
    Buffer.concat([Buffer.of(code), signature(type), value]);
  const fields = [
    one(field.path, 'o', text(call.path)),
    one(field.interface, 's', text(call.interface)),
    one(field.member, 's', text(call.member)),
    one(field.destination, 's', text(call.destination)),
    ...(call.arguments.length === 0
      ? []
      : [one(field.signature, 'g', signature('s'.repeat(call.arguments.length)))]),
  ];
  const last = fields.at(-1) ?? Buffer.alloc(0);
  const all = Buffer.concat([...fields.slice(0, -1).map((each) => padded(each, 8)), last]);
  const body = call.arguments.reduce(
    (before, value) => Buffer.concat([padded(before, 4), text(value)]),
    Buffer.alloc(0),
  );
  const head = Buffer.concat([
    Buffer.from('l\x01\0\x01'),
    word(body.length),
    word(serial),
    word(all.length),
    all,
  ]);
  return Buffer.concat([padded(head, 8), body]);
}

export interface BusMessage {
  readonly type: MessageType;
  /** The first argument where it is a string, or what the error says. */
  readonly text: string;
  /** Bytes of the whole message. */
  readonly length: number;
}

/** The first message of `bytes`; undefined until all of it is there. */
export function decodeMessage(bytes: Buffer): BusMessage | undefined {
  if (bytes.length < 16) return undefined;
  const little = bytes[0] === 0x6c;
  const at = (offset: number): number => (little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset));
  const bodyBytes = at(4);
  const bodyAt = Math.ceil((16 + at(12)) / 8) * 8;
  if (bytes.length < bodyAt + bodyBytes) return undefined;
  const size = bodyBytes >= 5 ? at(bodyAt) : 0;
  const isText = size + 5 <= bodyBytes;
  return {
    type: types[bytes[1] ?? 0] ?? 'other',
    text: isText ? bytes.toString('utf8', bodyAt + 4, bodyAt + 4 + size) : '',
    length: bodyAt + bodyBytes,
  };
}

/** One connection to the bus, one call at a time. */
class Bus {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #serial = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    const fail = (error: Error): void => {
      this.#failure ??= error;
      this.#wake?.();
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the message bus closed the connection')));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('the message bus did not answer in time')));
  }

  static async open(path: string): Promise<Bus> {
    const bus = new Bus(connect(path));
    try {
      const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
      bus.#socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
      const line = await bus.#take((bytes) => {
        const end = bytes.indexOf('\r\n');
        return end < 0 ? undefined : { value: bytes.toString('latin1', 0, end), length: end + 2 };
      });
      if (!line.startsWith('OK ')) throw new Error(`the message bus refused: ${line}`);
      bus.#socket.write('BEGIN\r\n');
      const name = 'org.freedesktop.DBus';
      await bus.call({
        destination: name,
        path: '/org/freedesktop/DBus',
        interface: name,
        member: 'Hello',
        arguments: [],
      });
      return bus;
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  /** The answer's first string. */
  async call(call: BusCall): Promise<string> {
    this.#socket.write(encodeCall(call, ++this.#serial));
    for (;;) {
      const message = await this.#take((bytes) => {
        const decoded = decodeMessage(bytes);
        return decoded === undefined ? undefined : { value: decoded, length: decoded.length };
      });
      if (message.type === 'error') throw new Error(message.text);
      if (message.type === 'return') return message.text;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #take<T>(
    read: (bytes: Buffer) => { readonly value: T; readonly length: number } | undefined,
  ): Promise<T> {
    for (;;) {
      const found = read(this.#received);
      if (found !== undefined) {
        this.#received = this.#received.subarray(found.length);
        return found.value;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Where D-Bus's own variable says, or the usual place. */
function busPath(): string {
  return /unix:path=([^,;]+)/.exec(process.env['DBUS_SYSTEM_BUS_ADDRESS'] ?? '')?.[1] ?? defaultBus;
}

async function withFirewalld<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  const bus = await Bus.open(busPath());
  try {
    return await work((member, ...args) =>
      bus.call({
        destination: service,
        path: '/org/fedoraproject/FirewallD1',
        interface: `${service}.zone`,
        member,
        arguments: args,
      }),
    );
  } finally {
    bus.close();
  }
}

type Ask = (member: string, ...args: string[]) => Promise<string>;

/** The zone of the engine's own name, where an administrator has made one; else the one that accepts everything, as dockerd's does. */
async function zoneFor(ask: Ask, own: string): Promise<string> {
  try {
    await ask('getInterfaces', own);
    return own;
  } catch (error) {
    if (error instanceof Error && error.message.includes('INVALID_ZONE')) return trusted;
    throw error;
  }
}

export interface Admitted {
  /** That of the engine's bridges. */
  readonly zone: string;
  /** Bridges that are in another one, with its name. */
  readonly elsewhere: readonly string[];
}

/** Bridges that are in no zone join `own`, where it exists, or `trusted`. Those that somebody put into another one stay there. */
export function admitBridges(own: string, bridges: readonly string[]): Promise<Admitted> {
  return withFirewalld(async (ask) => {
    const zone = await zoneFor(ask, own);
    const elsewhere: string[] = [];
    for (const bridge of bridges) {
      const now = await ask('getZoneOfInterface', bridge);
      if (now === '') await ask('addInterface', zone, bridge);
      else if (now !== zone) elsewhere.push(`${bridge} (${now})`);
    }
    return { zone, elsewhere };
  });
}

/** Bridges that go leave the zone again. */
export function dismissBridges(own: string, bridges: readonly string[]): Promise<void> {
  return withFirewalld(async (ask) => {
    for (const bridge of bridges) {
      const zone = await ask('getZoneOfInterface', bridge);
      if (zone === own || zone === trusted) await ask('removeInterface', zone, bridge);
    }
  });
}
