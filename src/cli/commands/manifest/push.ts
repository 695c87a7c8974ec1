/** `manifest push`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { CliError } from '../../exit.ts';
import { documentOf, readList, removeList } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

/** The same image by its digest: a tag may have moved since the list was made. */
const pinned = (ref: string, digest: string): string =>
  `${ref.replace(/@.*$/, '').replace(/:[^/:]*$/, '')}@${digest}`;

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client, config }) {
    const list = fullName(args[0] ?? '');
    const entries = readList(config(), list);
    if (entries === undefined || entries.length === 0)
      throw new CliError(`No such manifest: ${args[0] ?? ''}`);
    for (const { ref, descriptor } of entries) {
      const { architecture, os } = descriptor.platform;
      if (architecture === '' || os === '')
        throw new CliError(`manifest ${ref} must have an OS and Architecture to be pushed to a registry`);
    }
    const value = documentOf(entries);
    const { Digest } = await client().images.pushManifest({
      name: list,
      mediaType: value.mediaType,
      content: JSON.stringify(value, undefined, 3),
      sources: entries.map(({ ref, descriptor }) => pinned(ref, descriptor.digest)),
      auth: findAuth(config(), registryOf(list)),
    });
    for (const { descriptor } of entries) {
      const { digest } = descriptor;
      io.stdout.write(`Pushed ref ${pinned(list, digest)} with digest: ${digest}\n`);
    }
    io.stdout.write(`${Digest}\n`);
    if (flags.bool('purge')) removeList(config(), list);
  },
};
