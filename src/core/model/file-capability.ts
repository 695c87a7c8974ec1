/**
 * The attribute `security.capability` (capabilities(7), struct vfs_ns_cap_data). Revision 2 holds for the root of whoever reads it;
 * revision 3 names the root of the user namespace for which alone it holds. Archives have revision 2: what it is inside the container.
 * Pure.
 */

const [revisionMask, revision2, revision3] = [0xff00_0000, 0x0200_0000, 0x0300_0000];
const [size2, size3] = [20, 24];

const revisionOf = (value: Buffer): number => (value.readUInt32LE(0) & revisionMask) >>> 0;

function withRevision(value: Buffer, revision: number, size: number): Buffer {
  const changed = Buffer.alloc(size);
  value.copy(changed, 0, 0, size2);
  changed.writeUInt32LE((revision | (value.readUInt32LE(0) & ~revisionMask)) >>> 0, 0);
  return changed;
}

/** As the host has to write it for a container whose root is `root` there; 0 is the host's own. */
export function capabilityForHost(value: Buffer, root: number): Buffer {
  if (root === 0 || value.length !== size2 || revisionOf(value) !== revision2) return value;
  const changed = withRevision(value, revision3, size3);
  changed.writeUInt32LE(root, size2);
  return changed;
}

/** The way back; what holds for another root stays as it is. */
export function capabilityForContainer(value: Buffer, root: number): Buffer {
  if (value.length !== size3 || revisionOf(value) !== revision3 || value.readUInt32LE(size2) !== root)
    return value;
  return withRevision(value, revision2, size2);
}
