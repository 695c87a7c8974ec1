/** An independent, slow model of what Docker's json-file driver writes, to hold the shim against. */

const pieceSize = 16_384;

/** Pieces as Docker's copier cuts them: at newlines, and at 16 KiB without one. */
export function dockerPieces(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let piece: number[] = [];
  for (const byte of bytes) {
    if (byte === 0x0a) {
      pieces.push(Buffer.from([...piece, byte]));
      piece = [];
      continue;
    }
    piece.push(byte);
    if (piece.length === pieceSize) {
      pieces.push(Buffer.from(piece));
      piece = [];
    }
  }
  if (piece.length > 0) pieces.push(Buffer.from(piece));
  return pieces;
}

/** The rune at `at` as Go decodes it: an invalid byte is U+FFFD of width 1. */
function decodeRune(bytes: Buffer, at: number): { rune: number; width: number; isValid: boolean } {
  for (const width of [1, 2, 3, 4]) {
    const slice = bytes.subarray(at, at + width);
    if (slice.length < width) break;
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(slice);
      const rune = text.codePointAt(0) ?? 0;
      return { rune, width, isValid: true };
    } catch {
      // Longer, or no character at all.
    }
  }
  return { rune: 0xfffd, width: 1, isValid: false };
}

function escaped(rune: number): string {
  const character = String.fromCodePoint(rune);
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '"' || character === '\\') return `\\${character}`;
  if (rune < 0x20 || '<>&'.includes(character)) return `\\u00${rune.toString(16).padStart(2, '0')}`;
  if (rune === 0x2028 || rune === 0x2029) return `\\u${rune.toString(16)}`;
  return character;
}

/** One line of the file, without its newline. */
export function dockerLine(text: Buffer, stream: string, time: string): string {
  let log = '';
  for (let at = 0; at < text.length;) {
    const { rune, width, isValid } = decodeRune(text, at);
    log += isValid ? escaped(rune) : '\\ufffd';
    at += width;
  }
  return `{"log":"${log}","stream":"${stream}","time":"${time}"}`;
}
