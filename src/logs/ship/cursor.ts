/** How far a log was sent on: a small file beside it, which the shim reads (docs/shim-protocol.md). */
import { open, type FileHandle } from 'node:fs/promises';
import type { LogPosition } from '../../core/log-batch.ts';

const version = 1;

const digits = (value: number): string => String(value).padStart(20, '0');

export const cursorPath = (path: string): string => `${path}.cursor`;

export class Cursor {
  readonly #file: FileHandle;
  #position: LogPosition;

  private constructor(file: FileHandle, position: LogPosition) {
    this.#file = file;
    this.#position = position;
  }

  /** `first`: where to begin when nothing is written there, or nothing that can be read (then some lines are sent again). */
  static async open(path: string, first: LogPosition): Promise<Cursor> {
    const file = await open(cursorPath(path), 'a+', 0o640).then(async (made) => {
      await made.close();
      return await open(cursorPath(path), 'r+');
    });
    const parts = /^1 (\d{20}) (\d{20})\n$/.exec(await file.readFile('latin1'));
    const position = parts === null ? first : { segment: Number(parts[1]), offset: Number(parts[2]) };
    const cursor = new Cursor(file, position);
    if (parts === null) await cursor.move(position);
    return cursor;
  }

  get position(): LogPosition {
    return this.#position;
  }

  /** In place, in one write: a crash of the daemon leaves the one or the other. Not synced: after a crash of the machine some is sent again. */
  async move(position: LogPosition): Promise<void> {
    const text = `${version} ${digits(position.segment)} ${digits(position.offset)}\n`;
    await this.#file.write(text, 0, 'latin1');
    this.#position = position;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
