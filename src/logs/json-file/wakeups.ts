import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Tells that a log may have grown or was rotated. Changes between two waits are not lost. */
export class LogWakeups {
  readonly #watcher: FSWatcher;
  #isDirty = false;
  #wake: (() => void) | undefined;

  /** Watches the directory: the path's own watch would stay with the file that is renamed away. */
  constructor(path: string) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_event, changed) => {
      if (changed === null || changed === name) this.notify();
    });
    // A directory that is removed (the container with it) ends the output; `ended` and `signal` tell.
    this.#watcher.on('error', () => this.notify());
  }

  notify(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  /** Resolves at the next change, at once when there was one since the last wait. */
  async wait(): Promise<void> {
    if (!this.#isDirty) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    this.#isDirty = false;
  }

  close(): void {
    this.#watcher.close();
    this.notify();
  }
}
