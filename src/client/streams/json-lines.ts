/** JSON values that follow each other in a stream, one a line or simply concatenated. */

/** Index after the first complete JSON value in `text`, or -1. Values are objects or arrays, as the engine sends. */
function valueEnd(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (quoted) {
      if (char === 0x5c) i++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x7b || char === 0x5b) depth++;
    else if (char === 0x7d || char === 0x5d) {
      depth--;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

/** The values as the text they came in: numbers beyond 2^53 survive only so. */
export async function* jsonTexts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of chunks) {
    pending += decoder.decode(chunk, { stream: true });
    for (let end = valueEnd(pending); end > 0; end = valueEnd(pending)) {
      yield pending.slice(0, end).trim();
      pending = pending.slice(end);
    }
  }
  if (pending.trim() !== '') throw new Error('unexpected EOF');
}

/** The values parsed; the engine's schema is trusted for their type. */
export async function* jsonValues<T>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<T, void, undefined> {
  for await (const text of jsonTexts(chunks)) yield JSON.parse(text) as T;
}
