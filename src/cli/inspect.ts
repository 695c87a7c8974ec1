/** What all `inspect` commands share: several objects, JSON or a template, what was not found told at the end. */
import { CliError, EXIT_FAILURE } from './exit.ts';
import { errorText } from './failure.ts';
import type { Io } from './io.ts';
import { indentJson } from './render/json-indent.ts';
import { compile, fromApi, type Template } from '../template/index.ts';

/** docker's code for a template that cannot be read. */
const EXIT_TEMPLATE = 64;

function compileFormat(format: string): Template {
  try {
    return compile(format, { missingKeyIsError: true });
  } catch (error) {
    throw new CliError(
      `template parsing error: ${error instanceof Error ? error.message : String(error)}`,
      EXIT_TEMPLATE,
    );
  }
}

/** Writes all found objects; throws at the end when one was not found. `fetch` answers the engine's JSON text. */
export async function inspectAll(
  io: Io,
  names: readonly string[],
  format: string,
  fetch: (name: string) => Promise<string>,
): Promise<void> {
  const template = format === '' || format === 'json' ? undefined : compileFormat(format);
  const found: string[] = [];
  const errors: string[] = [];
  let failed = false;
  for (const name of names) {
    try {
      const text = await fetch(name);
      found.push(template === undefined ? text : `${template.render(fromApi(JSON.parse(text)))}\n`);
    } catch (error) {
      errors.push(
        template !== undefined && !(error instanceof CliError) && isTemplateError(error)
          ? `template parsing error: ${error.message}`
          : errorText(error),
      );
      failed = true;
      if (isTemplateError(error)) break;
    }
  }
  if (format === 'json') io.stdout.write(`[${found.map((text) => text.trim()).join(',')}]\n`);
  else if (template === undefined)
    io.stdout.write(
      found.length === 0
        ? '[]\n'
        : `[\n    ${found.map((text) => indentJson(text, '    ', '    ')).join(',\n    ')}\n]\n`,
    );
  else io.stdout.write(found.length === 0 ? '\n' : found.join(''));
  if (failed) throw new CliError(errors.join('\n'), EXIT_FAILURE);
}

const isTemplateError = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'TemplateError';
