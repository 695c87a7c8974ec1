/** For tests of how much is computed: on a busy machine time passes that nobody has computed in. */

/** Milliseconds that this thread has computed since it began. */
export function computedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
