/** Sizes as people write them (`10m`, `1.5GB`), decimal as Docker reads them for logs; undefined when it is no size. */
export function parseHumanSize(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(i?b)?$/i.exec(text.trim());
  if (!parts) return undefined;
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf((parts[2] ?? '').toLowerCase());
  return Math.floor(Number(parts[1]) * 1000 ** power);
}
