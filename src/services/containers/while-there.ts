import { isKind, notFound, toSlipwayError } from '../../core/errors.ts';
import type { Room } from './deps.ts';

/**
 * Looks into a container that may be removed meanwhile. What fails by that says that it is gone, and not which of the engine's
 * files is: `notFound`.
 */
export async function whileThere<T>(
  room: Pick<Room, 'table'>,
  ref: string,
  look: () => Promise<T>,
): Promise<T> {
  const entry = room.table.resolve(ref);
  try {
    return await look();
  } catch (error) {
    const isGone = room.table.get(entry.id) !== entry || entry.record.state.status === 'removing';
    const told = toSlipwayError(error);
    if (!isGone || !(isKind(told, 'internal') || isKind(told, 'notFound'))) throw error;
    throw notFound(`No such container: ${ref}`, error);
  }
}
