/**
 * Old clients attach without an Upgrade header and send stdin right behind the request, even in the same packet. Node's parser
 * would take those bytes for the next request and lose them. So the first bytes of each connection are looked at before the
 * parser sees them, and such a request gets an Upgrade header put in: Node then hands over the socket with every byte.
 */

import type { Socket } from 'node:net';

/** Sockets whose Upgrade header is ours. */
const plain = new WeakSet<object>();

export function isPlainHijack(socket: object): boolean {
  return plain.has(socket);
}

const maximumHead = 64 * 1024;
const hijackPath =
  /^POST (?:\/v[\d.]+)?\/(?:containers\/[^ ?]+\/attach|exec\/[^ ?]+\/start)(?:\?[^ ]*)? HTTP\/1\.[01]\r\n/;
/** Already upgrading, or a body whose end only the parser can find. */
const leaveAlone = /\r\n(?:upgrade|transfer-encoding)[ \t]*:/i;
const ourHeaders = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

/** The bytes for the parser; undefined when more must come in before that is known. */
export function rewriteHead(bytes: Buffer): { readonly bytes: Buffer; readonly plain: boolean } | undefined {
  if (bytes.length > 0 && bytes[0] !== 0x50 /* P */) return { bytes, plain: false };
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.toString('latin1', 0, end < 0 ? Math.min(bytes.length, maximumHead) : end + 2);
  const lineEnd = head.indexOf('\r\n');
  if (lineEnd >= 0 && !hijackPath.test(head)) return { bytes, plain: false };
  if (end < 0) return bytes.length >= maximumHead ? { bytes, plain: false } : undefined;
  if (leaveAlone.test(head)) return { bytes, plain: false };
  const cut = lineEnd + 2;
  return {
    bytes: Buffer.concat([bytes.subarray(0, cut), Buffer.from(ourHeaders), bytes.subarray(cut)]),
    plain: true,
  };
}

/** Looks at the first bytes of a new connection, puts them back and hands it to `serve`. */
export function inspectFirstPacket(socket: Socket, timeoutMs: number, serve: (socket: Socket) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  timer.unref();
  const done = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', done).off('error', ignore);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const result = rewriteHead(seen);
    if (result === undefined) return;
    done();
    socket.pause();
    if (result.plain) plain.add(socket);
    socket.unshift(result.bytes);
    serve(socket);
    socket.resume();
  };
  const onEnd = (): void => {
    done();
    socket.destroy();
  };
  const ignore = (): void => {};
  socket.on('data', onData).on('end', onEnd).on('close', done).on('error', ignore);
}
