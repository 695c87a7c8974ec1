/** Work that waits for a program which is away: tried at once, then after a second, and after twice as long each time, up to a minute. */

const firstRetryMs = 1000;
const lastRetryMs = 60_000;

export class Retries {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Replaces what is tried under the same key. `work` rejects as long as it must be tried again; `failed` is told of each time. */
  start(key: string, work: () => Promise<void>, failed: (error: unknown) => void): void {
    this.#attempt(key, work, failed, firstRetryMs);
  }

  cancel(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #attempt(key: string, work: () => Promise<void>, failed: (error: unknown) => void, waitMs: number): void {
    this.cancel(key);
    work().catch((error: unknown) => {
      failed(error);
      this.cancel(key);
      const again = (): void => this.#attempt(key, work, failed, Math.min(waitMs * 2, lastRetryMs));
      this.#timers.set(key, setTimeout(again, waitMs).unref());
    });
  }
}
