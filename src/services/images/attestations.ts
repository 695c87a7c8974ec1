/** The in-toto statements that BuildKit and others attach to an image: provenance, bills of materials. */

import { notFound } from '../../core/errors.ts';
import {
  referenceAnnotations,
  type Descriptor,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import { formatPlatform } from '../../core/platform.ts';
import { isObject, maxDocument, parseJson } from './config.ts';
import type { Room } from './deps.ts';
import type { Attestation } from './types.ts';

const statementType = 'application/vnd.in-toto+json';
const predicateAnnotation = 'in-toto.io/predicate-type';

function statementsOf(record: ImageRecord): Descriptor[] {
  const own = (record.attached ?? []).filter(({ descriptor: { annotations = {} } }) => {
    const isAttestation = annotations[referenceAnnotations.type] === referenceAnnotations.attestation;
    return isAttestation && annotations[referenceAnnotations.digest] === record.manifest?.digest;
  });
  return own.flatMap(({ blobs }) => blobs.filter(({ mediaType }) => mediaType === statementType));
}

export async function attestations(
  room: Room,
  reference: string,
  input: {
    readonly platform?: Platform;
    /** Predicate types; all by default. */
    readonly types?: readonly string[];
    readonly statement?: boolean;
  },
): Promise<readonly Attestation[]> {
  const record = room.store.resolve(reference, input.platform ?? room.platform);
  const types = input.types ?? [];
  const found: Attestation[] = [];
  for (const descriptor of statementsOf(record)) {
    const predicateType = descriptor.annotations?.[predicateAnnotation] ?? '';
    if (types.length > 0 && !types.includes(predicateType)) continue;
    if (input.statement !== true) {
      found.push({ descriptor, predicateType });
      continue;
    }
    if ((await room.blobs.has(descriptor.digest)) === undefined)
      throw notFound(
        `attestation ${descriptor.digest} of ${reference} (${formatPlatform(input.platform ?? room.platform)}) is not here`,
      );
    const statement = parseJson(await room.blobs.readAll(descriptor.digest, maxDocument * 4), 'attestation');
    found.push({ descriptor, predicateType, ...(isObject(statement) && { statement }) });
  }
  return found;
}
