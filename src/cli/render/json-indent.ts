/**
 * JSON text re-indented without being parsed, so that big numbers and the engine's order of keys stay as they came.
 */

const STRUCTURE = /[{}[\],:"]/;

/** The string literal that begins at `at`. */
function literalEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '\\') i++;
    else if (char === '"') return i + 1;
  }
  return text.length;
}

/** `text` with `indent` for each level; each line but the first begins with `prefix`. */
export function indentJson(text: string, indent: string, prefix = ''): string {
  let out = '';
  let depth = 0;
  let fresh = false;
  const newline = (): string => `\n${prefix}${indent.repeat(depth)}`;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === ' ' || char === '\n' || char === '\t' || char === '\r') continue;
    const closing = char === '}' || char === ']';
    if (fresh && !closing) out += newline();
    if (closing) {
      depth--;
      if (!fresh) out += newline();
    }
    fresh = false;
    if (char === '"') {
      const end = literalEnd(text, at);
      out += text.slice(at, end);
      at = end - 1;
    } else if (!STRUCTURE.test(char)) out += char;
    else {
      out += char === ':' ? ': ' : char;
      if (char === ',') out += newline();
      if (char === '{' || char === '[') {
        depth++;
        fresh = true;
      }
    }
  }
  return out;
}
