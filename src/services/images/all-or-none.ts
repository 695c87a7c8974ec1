import type { Ctx } from '../../core/ctx.ts';

/** Runs all, and when one fails cancels the others and waits for them: nothing goes on after the error is thrown. */
export async function allOrNone<T>(ctx: Ctx, tasks: readonly ((ctx: Ctx) => Promise<T>)[]): Promise<T[]> {
  const stop = new AbortController();
  const own: Ctx = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
  let first: { readonly error: unknown } | undefined;
  const results = await Promise.all(
    tasks.map((task) =>
      task(own).catch((error: unknown) => {
        first ??= { error };
        stop.abort();
        return undefined;
      }),
    ),
  );
  if (first !== undefined) throw first.error;
  return results as T[];
}
