/** Pulling, for `pull`, `run` and `create`. */
import type { Client, Progress } from '../client/index.ts';
import type { ConfigFile } from './config.ts';
import { findAuth, registryOf } from './credentials.ts';
import type { ParsedName } from './reference-name.ts';

export interface PullInput {
  readonly name: ParsedName;
  readonly platform: string | undefined;
  /** All tags of the repository instead of one. */
  readonly allTags?: boolean;
}

export function pullImage(
  client: Client,
  config: ConfigFile,
  { name, platform, allTags }: PullInput,
): Promise<Progress> {
  const tag = allTags === true ? '' : (name.digest ?? name.tag ?? 'latest');
  return client.images.pull({
    fromImage: name.full,
    tag,
    platform,
    auth: findAuth(config, registryOf(name.full)),
  });
}
