/** OCI platforms in query parameters: JSON, with the words of dockerd where they are none. */

import { invalid } from '../../core/errors.ts';
import type { Platform } from '../../core/model/image.ts';

type Fields = Readonly<Record<string, unknown>>;

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`failed to parse platform: ${(error as Error).message}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('failed to parse platform: not an object');
  return value as Fields;
}

/** Go's decoder takes field names in any case, and so do clients' own writers. */
function field(fields: Fields, name: string): string {
  const key = Object.keys(fields).find((each) => each.toLowerCase() === name);
  const value = key === undefined ? undefined : fields[key];
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw invalid(`failed to parse platform: ${name} is not a string`);
  return value;
}

/** `invalid` for anything but an object with OS and architecture. */
export function decodePlatform(text: string): Platform {
  const fields = parse(text);
  const [os, architecture] = [field(fields, 'os'), field(fields, 'architecture')];
  const [variant, version] = [field(fields, 'variant'), field(fields, 'os.version')];
  if (os === '' && architecture === '' && variant + version !== '')
    throw invalid('optional platform fields provided, but OS and Architecture are missing');
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided');
  return {
    os,
    architecture,
    ...(variant !== '' && { variant }),
    ...(version !== '' && { 'os.version': version }),
  };
}

export const decodePlatforms = (texts: readonly string[]): readonly Platform[] =>
  texts.filter((text) => text !== '').map(decodePlatform);
