/** A second view of a directory whose files belong to other ids (mount_setattr(2), kernel 5.12). */

import type { IdMappedMount } from '../../core/ports/host.ts';
import { checked, closeQuietly } from '../ffi/kernel-error.ts';
import { syscalls } from '../ffi/libc.ts';

/** struct mount_attr: attributes to set, to clear, propagation, user namespace; 64 bits each. */
function encodeAttributes(userNamespace: number): Buffer {
  const [mapIds, asPrivate] = [0x10_0000n, 0x4_0000n];
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(mapIds, 0);
  attributes.writeBigUInt64LE(asPrivate, 16);
  attributes.writeBigUInt64LE(BigInt(userNamespace), 24);
  return attributes;
}

export async function mountIdMapped({ source, target, userNamespace }: IdMappedMount): Promise<void> {
  const tree = checked(syscalls.openTree(source), 'open_tree', source);
  try {
    checked(syscalls.mountSetattr(tree, encodeAttributes(userNamespace)), 'mount_setattr', source);
    checked(syscalls.moveMount(tree, target), 'move_mount', target);
  } finally {
    closeQuietly(tree);
  }
}
