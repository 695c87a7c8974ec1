/** `--storage-opt size=`: how much a container may write into its root filesystem. */

import { invalid } from '../../core/errors.ts';
import { parseHumanSize } from '../../core/human-size.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import type { Room } from './deps.ts';

type Options = HostConfig['StorageOpt'];

/** Bytes; undefined when nothing is said of it. Docker takes the option in any case of letters. */
function sizeIn(options: Options): number | undefined {
  const entry = Object.entries(options ?? {}).find(([name]) => name.toLowerCase() === 'size');
  if (entry === undefined) return undefined;
  const size = parseHumanSize(entry[1], 1024);
  if (size === undefined) throw invalid(`invalid size: '${entry[1]}'`);
  return size;
}

/** It is the one option that there is; `unlimited` says why it cannot be had. */
export function checkStorage(options: Options, unlimited: string | undefined): void {
  for (const name of Object.keys(options ?? {}))
    if (name.toLowerCase() !== 'size') throw invalid(`Unknown option ${name}`);
  if (Object.keys(options ?? {}).length > 0 && unlimited !== undefined) throw invalid(unlimited);
  sizeIn(options);
}

/** Bytes that the container may write, by its own option or the daemon's; undefined for no limit, which 0 asks for. */
export function writableSize(room: Pick<Room, 'options'>, hostConfig: HostConfig): number | undefined {
  const size = sizeIn(hostConfig.StorageOpt) ?? room.options.defaultWritableSize ?? 0;
  return size > 0 ? size : undefined;
}
