/** Docker's multiplexed stream, as an engine writes it. */

/** Bytes of one multiplexed frame. */
export function frame(stream: number, text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data]);
}
