import { detachedCtx, type Ctx } from './ctx.ts';
import { toSlipwayError } from './errors.ts';

const undoTimeoutMs = 10_000;

/**
 * Steps to take back, registered before their effects. An undo must succeed when its effect never happened.
 */
export class UndoStack {
  readonly #steps: { readonly what: string; readonly undo: (ctx: Ctx) => unknown }[] = [];

  /** Registers how to take back the effect that follows; `what` names it in the log ("mount rootfs"). */
  push(what: string, undo: (ctx: Ctx) => unknown): void {
    this.#steps.push({ what, undo });
  }

  /** Runs all undos, last first, on a context of their own; returns the errors met. */
  async unwind(ctx: Ctx): Promise<Error[]> {
    const own = detachedCtx(ctx, undoTimeoutMs);
    const errors: Error[] = [];
    for (const step of this.#steps.splice(0).toReversed()) {
      try {
        await step.undo(own);
      } catch (error) {
        own.log.error('undo failed', { step: step.what, error });
        errors.push(error instanceof Error ? error : new Error(String(error)));
      }
    }
    return errors;
  }
}

/**
 * Runs `body`; when it throws, takes its registered effects back in reverse, attaches the undo errors to the
 * first error and throws that.
 */
export async function withUndo<T>(ctx: Ctx, body: (undo: UndoStack) => Promise<T>): Promise<T> {
  const stack = new UndoStack();
  try {
    return await body(stack);
  } catch (error) {
    const failure = toSlipwayError(error);
    failure.undoErrors.push(...(await stack.unwind(ctx)));
    throw failure;
  }
}
