/** The third part of `-v source:destination:mode`. */

export interface MountMode {
  readonly rw: boolean;
  readonly propagation: string;
  readonly copy: boolean;
}

const propagations = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);
/** Whether this is one of the kernel's ways to pass mounts on, as binds name them. */
export const isPropagation = (word: string): boolean => propagations.has(word);
const access = new Set(['ro', 'rw']);
const labels = new Set(['z', 'Z']);
const consistency = new Set(['consistent', 'cached', 'delegated']);

/** Undefined when the mode is none; each kind of word may come once, propagation only for binds and `nocopy` only for volumes. */
export function parseMountMode(text: string, bind: boolean): MountMode | undefined {
  let mode: MountMode = { rw: true, propagation: bind ? 'rprivate' : '', copy: true };
  if (text === '') return mode;
  const seen = new Set<string>();
  const once = (kind: string): boolean => !seen.has(kind) && seen.add(kind) !== undefined;
  for (const word of text.split(',')) {
    if (access.has(word) && once('access')) mode = { ...mode, rw: word === 'rw' };
    else if (labels.has(word) && once('label')) continue;
    else if (consistency.has(word) && once('consistency')) continue;
    else if (propagations.has(word) && bind && once('propagation')) mode = { ...mode, propagation: word };
    else if (word === 'nocopy' && !bind && once('copy')) mode = { ...mode, copy: false };
    else return undefined;
  }
  return mode;
}
