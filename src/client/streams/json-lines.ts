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

export async function* jsonValues<T>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<T, void, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of chunks) {
    pending += decoder.decode(chunk, { stream: true });
    for (let end = valueEnd(pending); end > 0; end = valueEnd(pending)) {
      yield JSON.parse(pending.slice(0, end)) as T;
      pending = pending.slice(end);
    }
  }
  if (pending.trim() !== '') throw new Error('unexpected EOF');
}
