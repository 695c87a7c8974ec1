/** The resolver of one container: sockets in its namespace, answers from the zones, the rest from the servers behind. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import type { HeldResolver } from '../../core/netd-protocol.ts';
import type { LookupCounters, ResolverConfig } from '../../core/ports/net-helper.ts';
import type { Datagram, DatagramSource, LightHost, ReadDatagram } from '../../host/index.ts';
import { answerLocally } from './answer.ts';
import { AnswerCache, type CacheBudget } from './cache.ts';
import { RateLimit } from './limit.ts';
import { QuickAnswers, type QuickState, type QuickTable } from './quick-answers.ts';
import { parseServer, Upstream } from './upstream.ts';
import { isSound } from './records.ts';
import { encodeFormatError, encodeResponse, parseQuery, responseCode, type Query } from './wire.ts';
import type { Zones } from './zones.ts';

/**
 * Queries a second and at once from one container; more are dropped, so that a flood costs the others little. They count by
 * what they cost: one that must be read and looked up, or asked behind, as much as four whose answer is only copied.
 */
const ratePerSecond = 16_000;
const burst = 32_000;
const fullCost = 4;
/** Queries of one container that may wait for servers behind; Docker's number. */
const maxForwarded = 1024;
const maxServers = 3;
const maxConnections = 64;
const connectionIdleMs = 10_000;
const drainMs = 5000;
/** Of queries that one wake-up answers, and as many as one batch holds. */
const maxBatches = 4;
const fullBatch = 64;
/** Over UDP, whatever the asker takes: as much as the batch has room for. */
const largestAnswer = 4096;

export interface ResolverDeps {
  readonly host: Pick<LightHost, 'openSocket' | 'closeFd' | 'answerDatagrams'>;
  readonly zones: Zones;
  readonly cacheBudget: CacheBudget;
  readonly quickTable: QuickTable;
  /** Asks from the host's namespace; shared by all. */
  readonly hostUpstream: Upstream;
}

type Transport = 'udp' | 'tcp';

export class Resolver {
  readonly #deps: ResolverDeps;
  readonly #held: HeldResolver;
  readonly #udp: UdpSocket;
  readonly #tcp: TcpServer;
  readonly #connections = new Set<Socket>();
  readonly #ownUpstream: Upstream;
  readonly #limit = new RateLimit(ratePerSecond, burst, performance.now());
  readonly #cache: AnswerCache;
  readonly #quick: QuickAnswers;
  readonly #counters = { queries: 0, answered: 0, forwarded: 0, cached: 0, limited: 0, failed: 0 };
  #config: ResolverConfig;
  #forwarded = 0;
  /** Datagrams that were read and whose answers come later. */
  #unanswered = 0;
  /** Of the batch being answered; milliseconds. */
  #now = 0;
  #state: QuickState;
  #drained: (() => void) | undefined;
  #closed = false;

  /** Takes over the descriptors of `held`. */
  constructor(deps: ResolverDeps, held: HeldResolver) {
    this.#deps = deps;
    this.#held = held;
    this.#cache = new AnswerCache(deps.cacheBudget);
    this.#quick = new QuickAnswers(deps.quickTable);
    this.#config = held.config;
    this.#state = { config: held.config, generation: -1 };
    this.#ownUpstream = new Upstream(deps.host, { fd: held.namespaceFd });
    // Addresses are addresses: Node would send each through its resolver.
    this.#udp = createSocket({ type: 'udp4', lookup: (address, _options, done) => done(null, address, 4) });
    this.#tcp = createServer((socket) => this.#connection(socket));
    this.#tcp.maxConnections = maxConnections;
  }

  /** Resolves when both sockets are served. */
  async serve(): Promise<void> {
    this.#udp.on('message', (message, source) => this.#datagrams({ message, source }));
    this.#udp.on('error', () => {});
    this.#tcp.on('error', () => {});
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.bind({ fd: this.#held.udpFd }, resolve)),
      new Promise<void>((resolve) => this.#tcp.listen({ fd: this.#held.tcpFd }, resolve)),
    ]);
  }

  update(config: ResolverConfig): void {
    const before = this.#config;
    this.#config = config;
    const servers = (of: ResolverConfig): string => JSON.stringify([of.forward, of.upstreams]);
    if (servers(before) !== servers(config)) this.#cache.clear();
  }

  /** Since this process serves the container. */
  counters(): LookupCounters {
    return { ...this.#counters };
  }

  held(): HeldResolver {
    return { ...this.#held, config: this.#config };
  }

  /**
   * Ends for a successor that serves the same sockets: goes on answering what this process happens to read (a datagram
   * that is read and dropped would be a lost lookup) up to a moment when nothing is being asked behind.
   */
  async drain(): Promise<void> {
    this.#tcp.close();
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => this.#drained?.(), drainMs);
      this.#drained = () => {
        clearTimeout(deadline);
        this.#drained = undefined;
        // In this very turn: nothing more may be read.
        this.#closeUdp();
        resolve();
      };
      if (this.#unanswered === 0) this.#drained();
    });
    await this.#rest();
  }

  async close(): Promise<void> {
    this.#closeUdp();
    this.#tcp.close();
    await this.#rest();
  }

  #closeUdp(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#udp.close();
  }

  async #rest(): Promise<void> {
    this.#cache.clear();
    for (const socket of this.#connections) socket.destroy();
    await this.#ownUpstream.close();
    this.#deps.host.closeFd(this.#held.namespaceFd);
  }

  /** One that woke us and what came behind it, by the batch; the loop gets its turn in between. */
  #datagrams(first: ReadDatagram): void {
    let read: ReadDatagram | undefined = first;
    for (let round = 0; round < maxBatches && !this.#closed; round++) {
      this.#now = performance.now();
      this.#state = { config: this.#config, generation: this.#deps.zones.generation };
      const count = this.#deps.host.answerDatagrams(this.#held.udpFd, this.#answer, read);
      if (count < fullBatch) return;
      read = undefined;
    }
  }

  /** The answer where it is known at once; what is asked behind is sent when it comes. */
  readonly #answer = (datagram: Datagram, out: Buffer, at: number): number => {
    this.#counters.queries++;
    if (!this.#take(this.#now, 1)) return 0;
    const size = this.#quick.find(this.#state, datagram, out, at);
    if (size > 0) {
      this.#counters.answered++;
      return size;
    }
    if (!this.#take(this.#now, fullCost - 1)) return 0;
    const message = datagram.bytes.subarray(datagram.start, datagram.end);
    const query = parseQuery(message);
    if (query === undefined) return encodeFormatError(message)?.copy(out, at) ?? 0;
    const local = this.#local(query, Math.min(query.udpSize, largestAnswer));
    if (local !== undefined) this.#quick.keep(this.#state, datagram, local, query.question.length);
    const known = local ?? this.#cached('udp', query, message);
    if (known === undefined) this.#askBehind(query, message, datagram.source());
    return known?.copy(out, at) ?? 0;
  };

  #askBehind(query: Query, message: Buffer, to: DatagramSource): void {
    this.#unanswered++;
    // The buffer is used again for the next datagram.
    const kept = Buffer.from(message);
    const own = { ...query, question: kept.subarray(0, query.question.length) };
    void this.#forward('udp', own, kept).then((late) => this.#send(late, to));
  }

  /** Of one that was counted as unanswered when it was read. */
  #send(response: Buffer, to: DatagramSource): void {
    if (this.#closed) return;
    this.#udp.send(response, to.port, to.address, () => {
      this.#unanswered--;
      if (this.#unanswered === 0) this.#drained?.();
    });
  }

  #connection(socket: Socket): void {
    let received = Buffer.alloc(0);
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(connectionIdleMs, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const length = received.readUInt16BE(0);
        const message = Buffer.from(received.subarray(2, length + 2));
        received = received.subarray(length + 2);
        void this.#overTcp(socket, message);
      }
    });
  }

  async #overTcp(socket: Socket, message: Buffer): Promise<void> {
    this.#counters.queries++;
    const response = this.#take(performance.now(), fullCost) ? await this.#answerTcp(message) : undefined;
    if (response === undefined) {
      socket.destroy();
      return;
    }
    const head = Buffer.alloc(2);
    head.writeUInt16BE(response.length);
    if (!socket.destroyed) socket.write(Buffer.concat([head, response]));
  }

  async #answerTcp(message: Buffer): Promise<Buffer | undefined> {
    const query = parseQuery(message);
    if (query === undefined) return encodeFormatError(message);
    const known = this.#local(query, 0xffff) ?? this.#cached('tcp', query, message);
    return known ?? (await this.#forward('tcp', query, message));
  }

  #take(now: number, tokens: number): boolean {
    if (this.#limit.take(now, tokens)) return true;
    this.#counters.limited++;
    return false;
  }

  /** From the zones. */
  #local(query: Query, limit: number): Buffer | undefined {
    const local = answerLocally(this.#deps.zones, this.#config, query, limit);
    if (local !== undefined) this.#counters.answered++;
    return local;
  }

  /** An answer of servers behind that still holds. */
  #cached(transport: Transport, query: Query, message: Buffer): Buffer | undefined {
    if (!this.#config.forward) return undefined;
    const cached = this.#cache.find(transport, query, message, performance.now());
    if (cached !== undefined) this.#counters.cached++;
    return cached;
  }

  async #forward(transport: Transport, query: Query, message: Buffer): Promise<Buffer> {
    if (this.#forwarded >= maxForwarded) {
      this.#counters.limited++;
      return encodeResponse(query, responseCode.refused, [], 512);
    }
    this.#forwarded++;
    try {
      const config = this.#config;
      const response = config.forward ? await this.#askServers(transport, query, message) : undefined;
      if (response === undefined) {
        this.#counters.failed++;
        return encodeResponse(query, responseCode.serverFailure, [], 512);
      }
      this.#counters.forwarded++;
      // An answer of servers that were exchanged meanwhile is not kept.
      if (config === this.#config) this.#cache.keep(transport, query, message, response, performance.now());
      return response;
    } finally {
      this.#forwarded--;
    }
  }

  /** In order; a server that fails or refuses lets the next one be asked, and its answer stands when it was the last. */
  async #askServers(transport: Transport, query: Query, message: Buffer): Promise<Buffer | undefined> {
    let last: Buffer | undefined;
    for (const { address, hostNamespace } of this.#config.upstreams.slice(0, maxServers)) {
      const server = parseServer(address);
      const upstream = hostNamespace ? this.#deps.hostUpstream : this.#ownUpstream;
      const response = await (transport === 'udp'
        ? upstream.askUdp(server, query, message)
        : upstream.askTcp(server, query, message));
      // What would not be understood is no answer.
      if (response === undefined || !isSound(response)) continue;
      last = response;
      const code = response.readUInt16BE(2) & 0xf;
      if (code !== responseCode.serverFailure && code !== responseCode.refused) return response;
    }
    return last;
  }
}
