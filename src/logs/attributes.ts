import type { LoggedContainer } from '../core/ports/log-driver.ts';
import { linearRegExp, type LinearRegExp } from '../core/linear-regexp/index.ts';
import { checkTag, tagOf } from './tag.ts';

type Options = Readonly<Record<string, string>>;

/** Options that choose extra attributes for each line. */
export const attributeOptions: ReadonlySet<string> = new Set([
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
]);

function pattern(text: string | undefined): LinearRegExp | undefined {
  return text === undefined || text === '' ? undefined : linearRegExp(text);
}

/** Throws `invalid` for patterns and tags that cannot be used. */
export function checkAttributeOptions(options: Options): void {
  pattern(options['labels-regex']);
  pattern(options['env-regex']);
  checkTag(options);
}

function chosen(
  values: ReadonlyMap<string, string>,
  names: string | undefined,
  matching: LinearRegExp | undefined,
): (readonly [string, string])[] {
  const wanted = new Set((names ?? '').split(',').map((name) => name.trim()));
  return [...values].filter(([name]) => wanted.has(name) || matching?.test(name) === true);
}

/** Labels and environment variables that the options choose. Pure. */
export function extraAttributes(
  options: Options,
  container: LoggedContainer,
): Readonly<Record<string, string>> {
  const labels = new Map(Object.entries(container.labels));
  const env = new Map(
    container.env.map((text): [string, string] => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  return Object.fromEntries([
    ...chosen(labels, options['labels'], pattern(options['labels-regex'])),
    ...chosen(env, options['env'], pattern(options['env-regex'])),
  ]);
}

/** The attributes of every line, or undefined when the options choose none. Pure. */
export function chooseAttributes(
  options: Options,
  container: LoggedContainer,
): Readonly<Record<string, string>> | undefined {
  const extra = extraAttributes(options, container);
  const attributes = options['tag'] ? { ...extra, tag: tagOf(container, options) } : extra;
  return Object.keys(attributes).length > 0 ? attributes : undefined;
}
