/** `manifest inspect`: a list that is here, one of its images, or what a registry has. */
import { type CommandModule, rangeArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { CliError } from '../../exit.ts';
import { documentOf, type Entry, readList } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

const show = (value: unknown): string => `${JSON.stringify(value, undefined, 3)}\n`;
const decode = (content: string): unknown => JSON.parse(Buffer.from(content, 'base64').toString('utf8'));

function verbose({ ref, descriptor, content }: Entry): object {
  const isOci = descriptor.mediaType.startsWith('application/vnd.oci.');
  const name = isOci ? 'OCIManifest' : 'SchemaV2Manifest';
  return { Ref: ref, Descriptor: descriptor, Raw: content, [name]: decode(content) };
}

export const command: CommandModule = {
  args: rangeArgs(1, 2),
  async run({ io, flags, args, client, config }) {
    const first = fullName(args[0] ?? '');
    const local = readList(config(), first);
    if (args.length === 2) {
      const ref = fullName(args[1] ?? '');
      const entry = local?.find((each) => each.ref === ref);
      if (entry === undefined) throw new CliError(`No such manifest: ${args[1] ?? ''}`);
      io.stdout.write(show(flags.bool('verbose') ? verbose(entry) : decode(entry.content)));
      return;
    }
    if (local !== undefined) {
      io.stdout.write(show(flags.bool('verbose') ? local.map(verbose) : documentOf(local)));
      return;
    }
    const found = await client().images.manifest(first, findAuth(config(), registryOf(first)));
    const { Descriptor, Content, Platform } = found;
    const descriptor = Platform === undefined ? Descriptor : { ...Descriptor, platform: Platform };
    io.stdout.write(
      show(
        flags.bool('verbose')
          ? { Ref: first, Descriptor: descriptor, Raw: Content, Manifest: decode(Content) }
          : decode(Content),
      ),
    );
  },
};
