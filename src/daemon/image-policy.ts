/** The daemon's flags about what is kept of images. Pure. */

import { invalid } from '../core/errors.ts';

export interface ImagePolicy {
  /** Shares of the file system in use; `high` undefined never collects by itself. */
  readonly high: number | undefined;
  readonly low: number;
  readonly keepBlobs: 'always' | 'auto' | 'never';
}

export const imageFlags = {
  'image-gc': { type: 'string', default: 'high=90,low=80' },
  'keep-blobs': { type: 'string', default: 'auto' },
} as const;

export const imageFlagsHelp = `      --image-gc high=P,low=P|off  When P percent of the disk are in use, remove what no container and no name needs, until
                                   low is reached (default high=90,low=80)
      --keep-blobs auto|always|never
                                   Compressed layers beside the unpacked ones: kept until the disk fills up, always, or
                                   not at all (default auto)
`;

const percent = (text: string): number => (/^\d{1,3}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN);

export function parseImagePolicy(values: {
  readonly 'image-gc': string;
  readonly 'keep-blobs': string;
}): ImagePolicy {
  const keepBlobs = values['keep-blobs'];
  if (keepBlobs !== 'auto' && keepBlobs !== 'always' && keepBlobs !== 'never')
    throw invalid(`--keep-blobs: ${keepBlobs} is none of auto, always, never`);
  const text = values['image-gc'];
  if (text === 'off') return { high: undefined, low: 0, keepBlobs };
  const fields = new Map(text.split(',').map((field) => field.split('=', 2) as [string, string]));
  const [high, low] = [percent(fields.get('high') ?? ''), percent(fields.get('low') ?? '')];
  const isRange = low > 0 && low < high && high <= 100 && fields.size === 2;
  if (!isRange)
    throw invalid(
      `--image-gc: ${text} is neither off nor of the form high=90,low=80, in percent of the disk`,
    );
  return { high: high / 100, low: low / 100, keepBlobs };
}
