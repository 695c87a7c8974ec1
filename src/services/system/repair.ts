import type { ReconcileAction } from '../containers/index.ts';
import type { RepairAction } from './types.ts';

const words: Readonly<Record<ReconcileAction['do'], readonly [action: string, reason: string]>> = {
  adopt: ['take over', 'it runs, and no daemon watches it'],
  exit: ['record the exit of', 'its process has ended'],
  undoStart: ['take back the start of', 'the start did not come to its end'],
  finishRemoval: ['finish the removal of', 'the removal did not come to its end'],
  prepareSnapshot: ['make the file system of', 'its writable layer is missing'],
  tidy: ['clear up after', 'it does not run, but a mount, cgroup or bundle of it is left'],
  restart: ['restart', 'its restart policy asks for it'],
  removeOrphan: ['remove', 'no container has it'],
};

/** A reconcile action in words for people. Pure. */
export function explainAction(action: ReconcileAction): RepairAction {
  const [verb, reason] = words[action.do];
  const kind = action.do === 'removeOrphan' ? action.what : 'container';
  return { action: verb, object: `${kind} ${action.id}`, reason };
}
