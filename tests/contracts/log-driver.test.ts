import { appendFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isErrno } from '../../src/core/errors.ts';
import type { LogDriver } from '../../src/core/ports/log-driver.ts';
import { openUnixDatagram } from '../../src/host/index.ts';
import { createLogDrivers } from '../../src/logs/index.ts';
import { CompressionQueue, compressFull } from '../../src/logs/spool/compress.ts';
import { listSegments, segmentPath } from '../../src/logs/spool/segments.ts';
import { createFakeLogDriver } from './fakes/log-driver.ts';
import { logDriverContract, type LogDriverHarness } from './log-driver.contract.ts';

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

/** As the shim does: the next number, and nothing beyond the limit is kept. */
async function rotateSegments(path: string, maxFile: number): Promise<void> {
  const { numbers } = await listSegments(path);
  const next = (numbers.at(-1) ?? 0) + 1;
  await rename(path, segmentPath(path, next));
  for (const number of numbers.filter((each) => each <= next - (maxFile - 1))) {
    await rm(segmentPath(path, number), { force: true });
    await rm(`${segmentPath(path, number)}.gz`, { force: true });
  }
}

/** As the shim of the first release did: LOG.1 is the newest. */
async function rotateChained(path: string, maxFile: number): Promise<void> {
  for (let i = maxFile - 1; i >= 1; i -= 1) {
    await rename(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
  }
}

async function fileHarness(
  driver: LogDriver,
  rotate: LogDriverHarness['rotate'],
  compresses: boolean,
): Promise<LogDriverHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'slip-'));
  const queue = new CompressionQueue();
  let count = 0;
  const compress = (path: string): Promise<void> =>
    compressFull(backgroundCtx(), queue, { path, maxFile: 0, below: Infinity });
  return {
    driver,
    newPath: () => join(directory, `${(count += 1)}-json.log`),
    write: async (path, entries) => {
      const lines = entries.map(
        ({ stream, line, time }) => `${JSON.stringify({ log: line, stream, time })}\n`,
      );
      await appendFile(path, lines.join(''));
    },
    rotate,
    options: driver.name === 'gelf' ? { 'gelf-address': 'udp://127.0.0.1:1' } : {},
    ...(compresses ? { compress } : {}),
    left: async (path) => (await readdir(dirname(path))).filter((name) => name.startsWith(basename(path))),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

const drivers = createLogDrivers({ openDatagram: openUnixDatagram });
for (const driver of drivers.values()) {
  if (driver.name === 'none') continue;
  logDriverContract(driver.name, () => fileHarness(driver, rotateSegments, driver.name !== 'json-file'));
}
const jsonFile = drivers.get('json-file') as LogDriver;
logDriverContract('json-file, compressed', () => fileHarness(jsonFile, rotateSegments, true));
logDriverContract('json-file of the first release', () => fileHarness(jsonFile, rotateChained, false));
