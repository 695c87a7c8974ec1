import { invalid } from '../../core/errors.ts';
import type { LoggedContainer } from '../../core/ports/log-driver.ts';

type Options = Readonly<Record<string, string>>;

/** Options that choose extra attributes for each line. */
export const attributeOptions: ReadonlySet<string> = new Set([
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
]);

const bare = (id: string): string => id.replace(/^sha256:/, '');

/** What a tag template may name, as Docker's. */
const tagFields: Readonly<Record<string, (container: LoggedContainer) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => bare(imageId).slice(0, 12),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ imageName }) => imageName,
  DaemonName: () => 'docker',
};

const tagAction = /\{\{\s*(.*?)\s*\}\}/g;

function expandTag(template: string, container: LoggedContainer): string {
  return template.replace(tagAction, (_all, action: string) => tagFields[action.slice(1)]?.(container) ?? '');
}

function pattern(name: string, text: string | undefined): RegExp | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return new RegExp(text);
  } catch (error) {
    throw invalid(`invalid ${name} log opt: ${text} is no regular expression`, error);
  }
}

/** Throws `invalid` for patterns and tags that cannot be used. */
export function checkAttributeOptions(options: Options): void {
  pattern('labels-regex', options['labels-regex']);
  pattern('env-regex', options['env-regex']);
  for (const [, action = ''] of (options['tag'] ?? '').matchAll(tagAction)) {
    if (!action.startsWith('.') || tagFields[action.slice(1)] === undefined) {
      throw invalid(`invalid tag log opt: {{${action}}} is not known`);
    }
  }
}

function chosen(
  values: ReadonlyMap<string, string>,
  names: string | undefined,
  matching: RegExp | undefined,
): (readonly [string, string])[] {
  const wanted = new Set((names ?? '').split(',').map((name) => name.trim()));
  return [...values].filter(([name]) => wanted.has(name) || matching?.test(name) === true);
}

/** The attributes of every line, or undefined when the options choose none. Pure. */
export function chooseAttributes(
  options: Options,
  container: LoggedContainer,
): Readonly<Record<string, string>> | undefined {
  const labels = new Map(Object.entries(container.labels));
  const env = new Map(
    container.env.map((text) => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  const attributes = Object.fromEntries([
    ...chosen(labels, options['labels'], pattern('labels-regex', options['labels-regex'])),
    ...chosen(env, options['env'], pattern('env-regex', options['env-regex'])),
  ]);
  if (options['tag']) attributes['tag'] = expandTag(options['tag'], container);
  return Object.keys(attributes).length > 0 ? attributes : undefined;
}
