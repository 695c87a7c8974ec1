/**
 * Addresses of endpoints that another program gives. Everything of one network happens in order: an address that goes
 * back is back before the next one is asked for. Nobody waits for the going back; while the program is away it is owed.
 */

import { backgroundCtx, type Ctx } from '../../../core/ctx.ts';
import { forbidden, isKind } from '../../../core/errors.ts';
import { cidrContains, parseCidr, parseIp, type IpFamily } from '../../../core/ip.ts';
import type { IpamPool, NetworkRecord } from '../../../core/model/network.ts';
import { KeyedQueue } from '../../../core/keyed-queue.ts';
import type { Logger } from '../../../core/log.ts';
import type { IpamDriver } from '../../../core/ports/ipam-driver.ts';
import type { DebtBook } from '../debts/book.ts';
import { Retries } from '../debts/retries.ts';
import type { ClaimedAddress } from './addresses.ts';

/** Whether another program gives the addresses of a network. */
export const isRemote = (network: NetworkRecord): boolean =>
  network.configOnly !== true && network.ipam.driver !== 'default' && network.ipam.driver !== 'null';

const familyOf = (pool: IpamPool): IpFamily => (pool.subnet.includes(':') ? 6 : 4);

function poolOf(network: NetworkRecord, address: string): IpamPool | undefined {
  const parsed = parseIp(address);
  return network.ipam.pools.find((pool) => {
    const subnet = parseCidr(pool.subnet)?.cidr;
    return parsed !== undefined && subnet !== undefined && cidrContains(subnet, parsed);
  });
}

export interface LeaseRequest {
  readonly network: NetworkRecord;
  readonly family: IpFamily;
  /** Empty where the program chooses. */
  readonly address: string;
  readonly macAddress: string;
}

export interface LeasesOptions {
  readonly load: (ctx: Ctx, name: string) => Promise<IpamDriver>;
  /** A network as it is now: a replay may change the names of its pools. */
  readonly find: (networkId: string) => NetworkRecord | undefined;
  /** Addresses that could not be given back yet. */
  readonly book: DebtBook;
  readonly log: Logger;
}

export class Leases {
  readonly #queue = new KeyedQueue();
  readonly #load: (ctx: Ctx, name: string) => Promise<IpamDriver>;
  readonly #find: (networkId: string) => NetworkRecord | undefined;
  readonly #ctx: Ctx;
  readonly #book: DebtBook;
  readonly #retries = new Retries();
  /** What a program that keeps nothing must be told first, by network. */
  readonly #replays = new Map<string, (driver: IpamDriver) => Promise<void>>();

  constructor(options: LeasesOptions) {
    this.#load = options.load;
    this.#find = options.find;
    this.#book = options.book;
    this.#ctx = backgroundCtx(options.log);
  }

  driver(network: NetworkRecord): Promise<IpamDriver> {
    return this.#load(this.#ctx, network.ipam.driver);
  }

  /** An address of one of the network's pools. `forbidden` where no pool holds the asked one. */
  claim({ network: asked, family, address, macAddress }: LeaseRequest): Promise<ClaimedAddress> {
    return this.#queue.run(asked.id, async () => {
      const driver = await this.#ready(asked);
      const network = this.#find(asked.id) ?? asked;
      const pools = network.ipam.pools.filter((pool) => familyOf(pool) === family);
      const fitting =
        address === '' ? pools : [poolOf(network, address)].filter((pool) => pool !== undefined);
      let failure: unknown = forbidden(
        'Requested address does not belong to any of the subnets of this network',
      );
      for (const pool of fitting) {
        try {
          const given = await driver.requestAddress(this.#ctx, {
            poolId: pool.poolId ?? '',
            address,
            purpose: 'endpoint',
            ...(driver.requiresMacAddress ? { macAddress } : {}),
          });
          const [bare = '', prefix = ''] = given.split('/');
          return { address: bare, prefix: Number(prefix), gateway: pool.gateway };
        } catch (error) {
          // Another pool of the network may have room.
          if (!isKind(error, 'internal')) throw error;
          failure = error;
        }
      }
      throw failure;
    });
  }

  /** In the background. An address that no pool holds is nobody's. */
  giveBack(network: NetworkRecord, address: string): void {
    const poolId = poolOf(network, address)?.poolId;
    if (poolId === undefined) return;
    // A daemon that was killed may find it owed and in a container's record as well.
    const isSame = (one: { poolId: string; address: string }): boolean =>
      one.poolId === poolId && one.address === address;
    this.#book.change(network.id, ({ addresses }) => ({
      addresses: addresses.some(isSame) ? addresses : [...addresses, { poolId, address }],
    }));
    this.resume(network);
  }

  /** After a daemon start: what the one before could not give back. */
  resume(network: NetworkRecord): void {
    if (!this.#owes(network)) return;
    this.#retries.start(
      network.id,
      () =>
        this.#queue.run(network.id, async () => {
          if (this.#owes(network)) await this.#settle(network, await this.driver(network));
        }),
      (error) => this.#ctx.log.warn('addresses are owed to a plugin', { network: network.name, error }),
    );
  }

  /** At the end of a network: what is owed, as far as it can be, and then `last`. */
  finish(network: NetworkRecord, last: (driver: IpamDriver) => Promise<void>): Promise<void> {
    return this.#queue.run(network.id, async () => {
      this.#retries.cancel(network.id);
      this.#replays.delete(network.id);
      try {
        const driver = await this.driver(network);
        await this.#settle(network, driver);
        await last(driver);
      } finally {
        this.#drop(network);
      }
    });
  }

  /** Tells a program that keeps nothing what is in use, now or, where it is away, before the next address of the network. */
  replay(network: NetworkRecord, tell: (driver: IpamDriver) => Promise<void>): Promise<void> {
    this.#replays.set(network.id, tell);
    return this.#queue.run(network.id, async () => {
      await this.#ready(network);
    });
  }

  close(): void {
    this.#retries.close();
  }

  #owes(network: NetworkRecord): boolean {
    return this.#book.of(network.id).addresses.length > 0;
  }

  #drop(network: NetworkRecord): void {
    this.#book.change(network.id, () => ({ addresses: [] }));
  }

  /** The program, with nothing open between it and us. */
  async #ready(network: NetworkRecord): Promise<IpamDriver> {
    const driver = await this.driver(network);
    const tell = this.#replays.get(network.id);
    if (tell !== undefined && driver.requiresReplay) {
      await tell(driver);
      // It was told what is in use, and nothing else.
      this.#drop(network);
    }
    this.#replays.delete(network.id);
    await this.#settle(network, driver);
    return driver;
  }

  async #settle(network: NetworkRecord, driver: IpamDriver): Promise<void> {
    for (;;) {
      const [next] = this.#book.of(network.id).addresses;
      if (next === undefined) return;
      try {
        await driver.releaseAddress(this.#ctx, next.poolId, next.address);
      } catch (error) {
        if (isKind(error, 'unavailable')) throw error;
        // It says that it knows nothing of it: then nothing is to be given back.
        this.#ctx.log.warn('an address was not taken back', { ...next, plugin: driver.name, error });
      }
      this.#book.change(network.id, ({ addresses }) => ({
        addresses: addresses.filter((one) => one !== next),
      }));
    }
  }
}
