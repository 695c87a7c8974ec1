/** The ends of endpoints that a network's driver must hear of, and could not: it is another program, and was away. */

import { backgroundCtx, type Ctx } from '../../../core/ctx.ts';
import { isKind } from '../../../core/errors.ts';
import { KeyedQueue } from '../../../core/keyed-queue.ts';
import type { Logger } from '../../../core/log.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { NetworkDriver } from '../../../core/ports/network-driver.ts';
import type { DebtBook } from './book.ts';
import { Retries } from './retries.ts';

export interface FarewellsOptions {
  /** Rejects while the program is away. */
  readonly load: (ctx: Ctx, name: string) => Promise<NetworkDriver>;
  readonly book: DebtBook;
  readonly log: Logger;
}

export class Farewells {
  readonly #queue = new KeyedQueue();
  readonly #retries = new Retries();
  readonly #load: FarewellsOptions['load'];
  readonly #book: DebtBook;
  readonly #ctx: Ctx;

  constructor({ load, book, log }: FarewellsOptions) {
    this.#load = load;
    this.#book = book;
    this.#ctx = backgroundCtx(log);
  }

  /** Told in the background, as soon as the program answers. */
  owe(network: NetworkRecord, endpointId: string): void {
    this.#book.change(network.id, ({ endpoints }) => ({
      endpoints: [...new Set([...endpoints, endpointId])],
    }));
    this.resume(network);
  }

  /** After a daemon start: what the one before left. */
  resume(network: NetworkRecord): void {
    if (this.#book.of(network.id).endpoints.length === 0) return;
    this.#retries.start(
      network.id,
      () => this.settle(network),
      (error) =>
        this.#ctx.log.warn('a plugin is still to be told of ended endpoints', {
          network: network.name,
          error,
        }),
    );
  }

  /** All that is open for the network, now; rejects where the program is away. */
  settle(network: NetworkRecord): Promise<void> {
    return this.#queue.run(network.id, async () => {
      for (;;) {
        const [next] = this.#book.of(network.id).endpoints;
        if (next === undefined) return this.#retries.cancel(network.id);
        const driver = await this.#load(this.#ctx, network.driver);
        await this.#tell(driver, network, next);
        this.#book.change(network.id, ({ endpoints }) => ({
          endpoints: endpoints.filter((one) => one !== next),
        }));
      }
    });
  }

  close(): void {
    this.#retries.close();
  }

  async #tell(driver: NetworkDriver, network: NetworkRecord, endpointId: string): Promise<void> {
    try {
      await driver.forget?.(this.#ctx, network, endpointId);
    } catch (error) {
      if (isKind(error, 'unavailable')) throw error;
      // It answers, and wants nothing of it: there is nobody else to tell.
      this.#ctx.log.warn('a plugin refused the end of an endpoint', {
        network: network.name,
        endpointId,
        error,
      });
    }
  }
}
