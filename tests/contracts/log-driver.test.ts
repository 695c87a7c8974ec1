import { appendFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../../src/core/errors.ts';
import { createJsonFileDriver } from '../../src/logs/index.ts';
import { createFakeLogDriver } from './fakes/log-driver.ts';
import { logDriverContract } from './log-driver.contract.ts';

logDriverContract('fake', async () => {
  const driver = createFakeLogDriver();
  let count = 0;
  return {
    driver,
    newPath: () => `/logs/${(count += 1)}`,
    write: async (path, entries) =>
      driver.append(
        path,
        entries.map((entry) => ({ ...entry, line: Buffer.from(entry.line) })),
      ),
    rotate: async () => {},
    close: async () => {},
  };
});

logDriverContract('json-file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slip-'));
  let count = 0;
  return {
    driver: createJsonFileDriver(),
    newPath: () => join(directory, `${(count += 1)}-json.log`),
    write: async (path, entries) => {
      const lines = entries.map(
        ({ stream, line, time }) => `${JSON.stringify({ log: line, stream, time })}\n`,
      );
      await appendFile(path, lines.join(''));
    },
    rotate: async (path, maxFile) => {
      for (let i = maxFile - 1; i >= 1; i -= 1) {
        await rename(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`).catch((error: unknown) => {
          if (!isErrno(error, 'ENOENT')) throw error;
        });
      }
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
});
