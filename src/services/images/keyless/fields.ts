/** Fields of the JSON that comes with a signature: of the kind that is needed, or `invalid` with a sentence. */

import { invalid } from '../../../core/errors.ts';
import { isObject, type JsonObject } from '../config.ts';

export const text = (value: unknown, what: string): string => {
  if (typeof value !== 'string' || value === '') throw invalid(`malformed bundle: no ${what}`);
  return value;
};

export const base64 = (value: unknown, what: string): Buffer => {
  const encoded = text(value, what);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw invalid(`malformed bundle: ${what} is not base64`);
  return Buffer.from(encoded, 'base64');
};

export const object = (value: unknown, what: string): JsonObject => {
  if (!isObject(value)) throw invalid(`malformed bundle: no ${what}`);
  return value;
};

/** A whole number; as a text too, since JSON made of protocol buffers has large ones so. */
export const count = (value: unknown, what: string): number => {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (!Number.isSafeInteger(number) || (number as number) < 0) throw invalid(`malformed bundle: no ${what}`);
  return number as number;
};

/** At most `most`; none where the field lacks. */
export const list = (value: unknown, what: string, most: number): readonly unknown[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`malformed bundle: ${what} is no list`);
  if (value.length > most) throw invalid(`malformed bundle: ${what} has more than ${most} entries`);
  return value as readonly unknown[];
};
