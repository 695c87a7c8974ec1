/** Lists of objects: docker's default tables, `--format` templates, JSON lines. */
import type { Sink } from '../io.ts';
import { CliError } from '../exit.ts';
import { compile, Struct, type Template, TemplateError, toJson } from '../../template/index.ts';
import { alignColumns } from './table.ts';

export interface Listing {
  /** What the user gave, or '' for the default. */
  readonly format: string;
  /** Template without `table ` in front. */
  readonly table: string;
  /** Template of `--format raw`. */
  readonly raw?: string;
  /** Titles by field name. */
  readonly titles: Readonly<Record<string, string>>;
  readonly rows: readonly Struct[];
}

const JSON_TEMPLATE = '{{json .}}';

/** The last part of a label's name in capitals, docker's title for a `{{.Label "x"}}` column. */
function labelTitle(name: unknown): string {
  const last = String(name).split('.').at(-1) ?? '';
  return last.replaceAll(/[-_]/g, ' ');
}

function compileFormat(text: string): Template {
  try {
    return compile(text);
  } catch (error) {
    throw new CliError(`template parsing error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Turns the `\t` and `\n` that users type into what they mean. */
const unescape = (text: string): string => text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');

/** A header knows the listed titles; a field without a title stands as `<no value>`. */
function headerValue(listing: Listing): Struct {
  const fields: Record<string, () => unknown> = {};
  for (const [name, title] of Object.entries(listing.titles)) fields[name] = () => title;
  const known = new Set(Object.keys(fields));
  for (const name of listing.rows[0]?.names() ?? []) if (!known.has(name)) fields[name] = () => undefined;
  return new Struct('formatter.SubHeaderContext', fields, { Label: labelTitle });
}

function execute(template: Template, row: Struct): string {
  try {
    return template.render(row);
  } catch (error) {
    if (error instanceof TemplateError) throw new CliError(`template parsing error: ${error.message}`);
    throw error;
  }
}

/** Refuses a broken template before anything is asked of the engine. */
export function checkFormat(format: string, sample: Struct): void {
  if (/^(|json|raw|table)$/.test(format)) return;
  let step = 'parse';
  try {
    const template = compile(format);
    step = 'execute';
    template.render(sample);
  } catch (error) {
    throw new CliError(
      `failed to ${step} template: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Writes the list. */
export function writeListing(out: Sink, listing: Listing): void {
  const format = listing.format === '' ? 'table' : listing.format;
  if (format === 'json' || format === JSON_TEMPLATE) {
    out.write(listing.rows.map((row) => `${toJson(row)}\n`).join(''));
    return;
  }
  if (format === 'raw' && listing.raw !== undefined) {
    const raw = compileFormat(listing.raw);
    out.write(listing.rows.map((row) => `${execute(raw, row)}\n`).join(''));
    return;
  }
  if (!format.startsWith('table')) {
    const template = compileFormat(unescape(format));
    out.write(listing.rows.map((row) => `${execute(template, row)}\n`).join(''));
    return;
  }
  const custom = format.slice('table'.length).trim();
  const template = compileFormat(custom === '' ? listing.table : unescape(custom));
  const body = listing.rows.map((row) => `${execute(template, row)}\n`).join('');
  out.write(alignColumns(`${template.renderHeader(headerValue(listing))}\n${body}`));
}
