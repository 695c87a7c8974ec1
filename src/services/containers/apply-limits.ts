import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { internal } from '../../core/errors.ts';
import type { CgroupWrite } from '../../core/ports/spec-builder.ts';

/** Writes limits in order; the first that is refused ends it, with its file and the kernel's word in the error. */
export async function applyLimits(what: string, writes: readonly CgroupWrite[]): Promise<void> {
  for (const write of writes) {
    try {
      await writeFile(join(write.directory, write.file), write.value);
    } catch (error) {
      if (write.optional) continue;
      const why = error instanceof Error ? error.message.split(',', 1)[0] : '';
      throw internal(`${what}: writing ${write.value} to ${write.file}: ${why}`, error);
    }
  }
}
