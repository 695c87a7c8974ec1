/**
 * Go's text/template for `--format` and for log tags, as far as docker's users go: fields, pipes, functions, if, range, with, variables,
 * define. `compile(text)` once, `render(value)` for each object. Called by the CLI's formatters and by log tags.
 */
import { execute } from './execute.ts';
import { functions, headerFunctions } from './functions.ts';
import { parseTemplate } from './parser.ts';

export interface Template {
  /** Throws TemplateError in Go's words. */
  render(value: unknown): string;
  /** The same template over the titles of a table's columns. */
  renderHeader(titles: unknown): string;
}

const names: ReadonlySet<string> = new Set(functions.keys());

/** Reads a template. Throws TemplateError. */
export function compile(source: string, options: { readonly missingKeyIsError?: boolean } = {}): Template {
  const tree = parseTemplate(source, names);
  const missingKeyIsError = options.missingKeyIsError ?? false;
  return {
    render: (value) => execute(tree, value, { functions, missingKeyIsError }),
    renderHeader: (titles) => execute(tree, titles, { functions: headerFunctions, missingKeyIsError: false }),
  };
}

export { TemplateError } from './errors.ts';
export { fromApi } from './from-api.ts';
export { quote } from './quote.ts';
export { goText, Struct, toJson } from './values.ts';
