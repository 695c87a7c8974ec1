/** The key sequence that leaves an attached terminal without ending it (`ctrl-p,ctrl-q` unless the client says otherwise). */

import { invalid } from '../../core/errors.ts';

const defaultKeys = Buffer.from([16, 17]);

/** Bytes of `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`; the default for an empty text. */
export function parseDetachKeys(text: string, what: 'detach keys' | 'escape keys' = 'detach keys'): Buffer {
  if (text === '') return defaultKeys;
  return Buffer.from(
    text.split(',').map((key) => {
      const code = keyCode(key);
      if (code === undefined) throw invalid(`Invalid ${what} (${text}) provided`);
      return code;
    }),
  );
}

function keyCode(key: string): number | undefined {
  if (key.length === 1) return key.charCodeAt(0);
  if (key === 'DEL') return 127;
  if (!key.startsWith('ctrl-') || key.length !== 6) return undefined;
  const char = key.charAt(5);
  if (char >= 'a' && char <= 'z') return char.charCodeAt(0) - 96;
  const symbol = '@[\\]^_'.indexOf(char);
  return symbol < 0 ? undefined : [0, 27, 28, 29, 30, 31][symbol];
}

/** Watches input for the keys. Keys that begin the sequence are held back until it is clear that they do not. */
export class DetachFilter {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What to pass on, and whether the sequence is complete. */
  push(input: Buffer): { readonly output: Buffer; readonly detached: boolean } {
    if (this.#matched === 0 && input.indexOf(this.#keys[0] ?? 0) < 0)
      return { output: input, detached: false };
    const output: number[] = [];
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        output.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { output: Buffer.from(output), detached: true };
      } else output.push(byte);
    }
    return { output: Buffer.from(output), detached: false };
  }
}
