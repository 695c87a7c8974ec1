/**
 * What work in flight needs: blobs and layers that no record names yet. Collecting passes over them, and taking a
 * lease waits while the same thing is being removed, so that nobody finds a blob a moment before it goes.
 */

export class Leases {
  readonly #counts = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();

  take(): Lease {
    return new Lease(this);
  }

  holds(name: string): boolean {
    return this.#counts.has(name);
  }

  /** Runs a removal unless somebody holds `name`; whoever asks for it meanwhile waits. Returns whether it ran. */
  async unlessHeld(name: string, remove: () => Promise<void>): Promise<boolean> {
    if (this.#counts.has(name) || this.#removing.has(name)) return false;
    const removal = remove();
    this.#removing.set(
      name,
      removal.catch(() => {}),
    );
    try {
      await removal;
      return true;
    } finally {
      this.#removing.delete(name);
    }
  }

  async hold(name: string): Promise<void> {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    await this.#removing.get(name);
  }

  drop(name: string): void {
    const count = (this.#counts.get(name) ?? 0) - 1;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }
}

export class Lease {
  readonly #leases: Leases;
  readonly #names = new Set<string>();

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  /** To be awaited before looking whether the blob is there. */
  async blob(digest: string): Promise<void> {
    await this.#hold(`blob ${digest}`);
  }

  async layer(chainId: string): Promise<void> {
    await this.#hold(`layer ${chainId}`);
  }

  /** Ends the lease. Returns what it held, so that the holder can look after it. */
  release(): { readonly blobs: readonly string[]; readonly layers: readonly string[] } {
    const names = [...this.#names];
    this.#names.clear();
    for (const name of names) this.#leases.drop(name);
    const of = (kind: string): string[] =>
      names.filter((name) => name.startsWith(`${kind} `)).map((name) => name.slice(kind.length + 1));
    return { blobs: of('blob'), layers: of('layer') };
  }

  async #hold(name: string): Promise<void> {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    await this.#leases.hold(name);
  }
}
