/** The keys that leave a container without stopping it: `ctrl-p,ctrl-q` unless the user says otherwise. */
import { CliError } from '../exit.ts';

export const DEFAULT_KEYS = 'ctrl-p,ctrl-q';

/** The bytes of a key sequence such as `ctrl-a,d`. Throws CliError. */
export function parseKeys(text: string): number[] {
  return text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (control === undefined) throw new CliError(`unknown character: '${key}'`);
    return control.toUpperCase().charCodeAt(0) & 0x1f;
  });
}

export interface Scanned {
  /** What may be passed on. */
  readonly bytes: Uint8Array;
  readonly detached: boolean;
}

/** Looks for the sequence in what is typed; keys that may begin it are held back until the next one decides. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  scan(chunk: Uint8Array): Scanned {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { bytes: Uint8Array.from(out), detached: true };
        continue;
      }
      out.push(...this.#keys.slice(0, this.#matched));
      // The byte that broke the sequence may begin it anew.
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    return { bytes: Uint8Array.from(out), detached: false };
  }
}
