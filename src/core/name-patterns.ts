/** Docker's matching of names and ids in list filters. */

import { isKind } from './errors.ts';
import { linearRegExp, type LinearRegExp } from './linear-regexp/index.ts';

function expressionOf(value: string): LinearRegExp | undefined {
  try {
    return linearRegExp(value);
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined;
    throw error;
  }
}

/** Passes what is a value itself or matches one as a regular expression; a bad expression matches nothing, and no value passes everything. */
export function patternOf(values: readonly string[] | undefined): (text: string) => boolean {
  if (values === undefined || values.length === 0) return () => true;
  const expressions = values.flatMap((value) => expressionOf(value) ?? []);
  return (text) => values.includes(text) || expressions.some((expression) => expression.test(text));
}
