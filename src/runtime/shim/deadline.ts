import { unavailable } from '../../core/errors.ts';

/**
 * How long a shim may take to answer. It answers within a millisecond; even on a machine that thrashes it does within this, so one that
 * does not is stopped or broken.
 */
export const shimPatienceMs = 30_000;

/** The promise, or `unavailable` when it takes longer. */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable(`${what} does not answer`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
