/** `manifest inspect`: a list that is here, one of its images, or what a registry has. */
import { type CommandModule, rangeArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { CliError } from '../../exit.ts';
import type { RawManifest } from '../../../client/index.ts';
import { documentOf, type Entry, readList } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

/** Lists as docker writes them; everything else by tabs. */
function show(value: unknown): string {
  const isList = typeof value === 'object' && value !== null && 'manifests' in value;
  return `${JSON.stringify(value, undefined, isList ? 3 : '\t')}\n`;
}

type Described = RawManifest['Descriptor'] & { readonly platform?: object };
const decode = (content: string): unknown => JSON.parse(Buffer.from(content, 'base64').toString('utf8'));

function verbose({
  ref,
  descriptor,
  content,
}: Pick<Entry, 'ref' | 'content'> & { readonly descriptor: Described }): object {
  const isOci = descriptor.mediaType.startsWith('application/vnd.oci.');
  const name = isOci ? 'OCIManifest' : 'SchemaV2Manifest';
  return { Ref: ref, Descriptor: descriptor, Raw: content, [name]: decode(content) };
}

/** Each image of a list in a registry, by its digest. */
async function imagesOf(
  list: string,
  content: string,
  manifest: (name: string) => Promise<RawManifest>,
): Promise<object[]> {
  const { manifests } = decode(content) as { readonly manifests: readonly Described[] };
  const repository = list.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const shown: object[] = [];
  for (const descriptor of manifests) {
    const ref = `${repository}@${descriptor.digest}`;
    shown.push(verbose({ ref, descriptor, content: (await manifest(ref)).Content }));
  }
  return shown;
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
    const manifest = (name: string): Promise<RawManifest> =>
      client().images.manifest(name, findAuth(config(), registryOf(first)));
    const { Descriptor, Content, Platform } = await manifest(first);
    const descriptor = Platform === undefined ? Descriptor : { ...Descriptor, platform: Platform };
    const isList = /index|manifest\.list/.test(Descriptor.mediaType);
    if (!flags.bool('verbose')) io.stdout.write(show(decode(Content)));
    else if (isList) io.stdout.write(show(await imagesOf(first, Content, manifest)));
    else io.stdout.write(show(verbose({ ref: first, descriptor, content: Content })));
  },
};
