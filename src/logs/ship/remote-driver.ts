import { setTimeout as delay } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { isErrno } from '../../core/errors.ts';
import type { LogDriver, LogPlan, LogTending, LoggedContainer } from '../../core/ports/log-driver.ts';
import { attributeOptions, checkAttributeOptions } from '../attributes.ts';
import { checkNames, ownOptions, parseCommonOptions, type CommonOptions } from '../options/common.ts';
import type { LogOptions } from '../options/words.ts';
import type { CompressionQueue } from '../spool/compress.ts';
import { readSpool } from '../spool/read.ts';
import { removeSegments } from '../spool/segments.ts';
import { compressSent, firstPosition, pruneSent, skipTo } from './backlog.ts';
import { shipLog } from './ship.ts';
import type { Connect } from './sink.ts';

/** Bytes of the spool that may wait for a receiver in blocking mode; then the container waits (docs/logs.md). */
export const unsentLimit = 1_000_000_000;
/** Files of a spool that nobody reads but the sender. */
const uncachedSize = 4_000_000;
/** After a full disk or the like. */
const spoolRetryMs = 5000;

export interface RemoteDriver {
  readonly name: string;
  /** Its own options, beside labels, env and tag. */
  readonly known: readonly string[];
  /** Checks its own options in Docker's words. */
  readonly check: (options: LogOptions) => void;
  readonly connect: (options: LogOptions, container: LoggedContainer) => Connect;
  readonly checkHost?: () => void;
  /** What `logs --details` shows of the options; absent where Docker's reading of its cache shows nothing. */
  readonly attributes?: LogDriver['attributes'];
  readonly firstRetryMs?: (options: LogOptions) => number;
}

function planSpool(common: CommonOptions): LogPlan {
  const { cache, isBlocking, maxBufferSize } = common;
  const maxSize = cache.disabled ? uncachedSize : cache.maxSize || uncachedSize;
  const files = cache.disabled ? 1 : Math.max(1, cache.maxFile);
  const compress = !cache.disabled && cache.compress && files > 1;
  const shared = { maxSize, keepBytes: true, readable: !cache.disabled, compress };
  if (isBlocking) return { ...shared, maxFile: files, unsentMax: unsentLimit };
  // The shim deletes what is beyond, sent or not: as much as may wait must be kept.
  return { ...shared, maxFile: Math.max(files, Math.ceil(maxBufferSize / maxSize) + 1) };
}

async function tendRemote(
  ctx: Ctx,
  queue: CompressionQueue,
  driver: RemoteDriver,
  tending: LogTending,
): Promise<void> {
  const { path, plan, options } = tending;
  const { isBlocking, maxBufferSize } = parseCommonOptions(options);
  let tidied = 0;
  const tidy = async (segment: number): Promise<void> => {
    if (segment === tidied) return;
    tidied = segment;
    const position = { segment, offset: 0 };
    if (isBlocking) await pruneSent(path, position, plan.readable === false ? 1 : plan.maxFile);
    // Not waited for: the next lines are on their way meanwhile.
    if (plan.compress === true) {
      compressSent(ctx, queue, path, position).catch((error: unknown) =>
        ctx.log.warn('a log file is not compressed', { path, error }),
      );
    }
  };
  await shipLog(ctx, await firstPosition(path), {
    path,
    connect: driver.connect(ownOptions(options), tending.container),
    firstRetryMs: driver.firstRetryMs?.(options) ?? 250,
    ended: tending.ended,
    moved: ({ segment }) => tidy(segment),
    skip: async (position) => {
      if (isBlocking) return undefined;
      const skipped = await skipTo(path, position, maxBufferSize);
      if (skipped === undefined) return undefined;
      ctx.log.warn('the receiver of a log is too slow: a part is not sent', { bytes: skipped.bytes });
      return skipped.position;
    },
  });
}

/** A driver that sends the spool on; `logs` reads the spool. */
export function createRemoteDriver(driver: RemoteDriver, queue: CompressionQueue): LogDriver {
  const known = new Set([...driver.known, ...attributeOptions]);
  return {
    name: driver.name,
    validate: (options) => {
      const common = parseCommonOptions(options);
      const own = ownOptions(options);
      driver.check(own);
      checkNames(driver.name, own, known);
      checkAttributeOptions(own);
      return planSpool(common);
    },
    ...(driver.checkHost === undefined ? {} : { checkHost: driver.checkHost }),
    ...(driver.attributes === undefined ? {} : { attributes: driver.attributes }),
    read: readSpool,
    tend: async (ctx, tending) => {
      while (!ctx.signal.aborted) {
        try {
          return await tendRemote(ctx, queue, driver, tending);
        } catch (error) {
          // The spool is gone, and the container with it.
          if (isErrno(error, 'ENOENT')) return;
          ctx.log.error('a log cannot be read to be sent on', { path: tending.path, error });
        }
        await delay(spoolRetryMs, undefined, { signal: ctx.signal }).catch(() => {});
      }
    },
    remove: removeSegments,
  };
}
