import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isErrno } from '../../core/errors.ts';

const pollMs = 500;

/** Tells that a log may have grown or was rotated. Changes between two waits are not lost. */
export class LogWakeups {
  #watcher: FSWatcher | undefined;
  #polling: NodeJS.Timeout | undefined;
  #isDirty = false;
  #wake: (() => void) | undefined;

  /** Watches the directory: the path's own watch would stay with the file that is renamed away. */
  constructor(path: string, of: 'growth' | 'rotations' = 'growth') {
    const name = basename(path);
    try {
      this.#watcher = watch(dirname(path), (event, changed) => {
        // A rotation makes a new file.
        if (changed === null || (changed === name && (of === 'growth' || event === 'rename'))) this.notify();
      });
      // A directory that is removed (the container with it) ends the output; `ended` and `signal` tell.
      this.#watcher.on('error', () => this.notify());
    } catch (error) {
      // The host's limit of watches is used up: then it is looked at now and then.
      if (!isErrno(error, 'ENOSPC') && !isErrno(error, 'EMFILE')) throw error;
      this.#polling = setInterval(() => this.notify(), pollMs);
    }
  }

  notify(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  /** Resolves at the next change, at once when there was one since the last wait; or after `timeoutMs`. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#isDirty) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#isDirty = false;
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#polling);
    this.notify();
  }
}
