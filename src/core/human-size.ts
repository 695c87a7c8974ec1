/** Sizes as people write them (`10m`, `1.5GB`); undefined when it is no size. Docker reads most of its log sizes as decimal. */
export function parseHumanSize(text: string, base: 1000 | 1024 = 1000): number | undefined {
  const parts = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(i?b)?$/i.exec(text.trim());
  if (!parts) return undefined;
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf((parts[2] ?? '').toLowerCase());
  return Math.floor(Number(parts[1]) * base ** power);
}
