/** Parses /proc/PID/mountinfo. Pure. */

import type { MountPoint } from '../../core/ports/host.ts';

/** `propagation` is `shared`, `slave`, `unbindable` or `private`. */
export interface MountInfo extends MountPoint {
  /** The part of the filesystem that is mounted here. */
  readonly root: string;
  readonly device: string;
}

function unescape(field: string): string {
  if (!field.includes('\\')) return field;
  const bytes: number[] = [];
  const raw = Buffer.from(field);
  for (let at = 0; at < raw.length; at++) {
    const octal = raw[at] === 0x5c ? raw.toString('latin1', at + 1, at + 4) : '';
    if (/^[0-7]{3}$/.test(octal)) {
      bytes.push(Number.parseInt(octal, 8));
      at += 3;
    } else bytes.push(raw[at] ?? 0);
  }
  return Buffer.from(bytes).toString();
}

function propagationOf(tags: readonly string[]): string {
  if (tags.some((tag) => tag.startsWith('shared:'))) return 'shared';
  if (tags.some((tag) => tag.startsWith('master:'))) return 'slave';
  return tags.includes('unbindable') ? 'unbindable' : 'private';
}

export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [, , device, root, target, mountOptions] = fields;
    if (separator === -1 || target === undefined) continue;
    mounts.push({
      target: unescape(target),
      fstype: fields[separator + 1] ?? '',
      source: unescape(fields[separator + 2] ?? ''),
      options: unescape(fields[separator + 3] ?? ''),
      mountOptions: mountOptions ?? '',
      propagation: propagationOf(fields.slice(6, separator)),
      root: unescape(root ?? ''),
      device: device ?? '',
    });
  }
  return mounts;
}

/** Those at or below `under`. */
export function mountsBelow(mounts: readonly MountInfo[], under: string): MountInfo[] {
  const base = under.endsWith('/') ? under.slice(0, -1) : under;
  return mounts.filter(({ target }) => target === base || target.startsWith(`${base}/`) || base === '');
}
