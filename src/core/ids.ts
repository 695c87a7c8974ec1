import { createHash, randomBytes } from 'node:crypto';

/** A new object id: 64 lower-case hex digits whose short form is never all digits (as Docker's). */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    // A host name or a port made of digits alone is ambiguous to users and to tools.
    if (!/^\d+$/.test(id.slice(0, 12))) return id;
  }
}

/** The first twelve digits of an id, as people see it; an algorithm prefix (`sha256:`) is dropped. */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  return (colon < 0 ? id : id.slice(colon + 1)).slice(0, 12);
}

/** `length` hex digits derived from the parts, for kernel names that reconcile must find again. */
export function derivedHex(length: number, ...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, length);
}
