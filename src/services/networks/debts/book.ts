/** What is owed to plugins, in memory and in the records: a daemon that ends before they are back must not forget it. */

import type { Logger } from '../../../core/log.ts';
import type { DebtRecord } from '../../../core/model/debt.ts';
import type { RecordStore } from '../../../core/ports/record-store.ts';

export class DebtBook {
  readonly #records: Pick<RecordStore, 'list' | 'commit'>;
  readonly #log: Logger;
  readonly #debts = new Map<string, DebtRecord>();

  constructor(records: Pick<RecordStore, 'list' | 'commit'>, log: Logger) {
    this.#records = records;
    this.#log = log;
  }

  /** At daemon start. What belongs to a network that is gone is nobody's any more. */
  async load(isKnown: (networkId: string) => boolean): Promise<void> {
    for (const debt of await this.#records.list('debt')) {
      this.#debts.set(debt.networkId, debt);
      if (!isKnown(debt.networkId)) this.forget(debt.networkId);
    }
  }

  of(networkId: string): DebtRecord {
    return this.#debts.get(networkId) ?? { networkId, addresses: [], endpoints: [] };
  }

  /** In memory at once; records take changes in order, so the last one counts. */
  change(networkId: string, change: (debt: DebtRecord) => Partial<DebtRecord>): void {
    const before = this.of(networkId);
    const after = { ...before, ...change(before) };
    if (after.addresses.length + after.endpoints.length === 0) {
      if (this.#debts.delete(networkId))
        this.#write([{ op: 'delete', kind: 'debt', id: networkId }], networkId);
      return;
    }
    this.#debts.set(networkId, after);
    this.#write([{ op: 'put', kind: 'debt', id: networkId, record: after }], networkId);
  }

  forget(networkId: string): void {
    this.change(networkId, () => ({ addresses: [], endpoints: [] }));
  }

  #write(changes: Parameters<RecordStore['commit']>[0], networkId: string): void {
    this.#records.commit(changes).catch((error: unknown) =>
      // It is still owed for as long as this daemon runs.
      this.#log.warn('what is owed to a plugin could not be written', { networkId, error }),
    );
  }
}
