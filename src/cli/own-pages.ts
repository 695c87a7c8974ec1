/** Help pages of the commands that only Slipway has. */
import type { FlagRow, Reference } from './reference.ts';

export const ownPages: Reference = {
  'image copy': () => ({
    usage: ['image copy [OPTIONS] SOURCE TARGET'],
    short: 'Copy an image from one registry to another, without pulling it',
    long: `Copy an image from one registry to another, without pulling it

All platforms and attestations of an index are copied, with the digests that they have. What the target has already is not
sent; within one registry layers are mounted from the source.`,
    aliases: [],
    flags: [
      ['', 'platform', 'string', "Copy only the image for this platform ('os[/arch[/variant]]')"],
      ['q', 'quiet', 'bool', 'Only show the digest'],
    ],
  }),
  'image gc': () => ({
    usage: ['image gc [OPTIONS]'],
    short: 'Remove what nobody needs, as the engine does when the disk fills up',
    long: `Remove what nobody needs, as the engine does when the disk fills up

Above the high mark (slipwayd --image-gc) go, until the low mark is reached: what nothing leads to, images that have
had no name for a day and that no container uses, and the compressed form of layers that are unpacked. Never what has
a name, and never what a container needs.`,
    aliases: [],
    flags: [
      ['a', 'all', 'bool', 'All that may go, however full the disk is'],
      ['', 'dry-run', 'bool', 'Only say what would go'],
      ['', 'format', 'string', "Pretty-print using 'json'"],
    ],
  }),
  'image layers': () => ({
    usage: ['image layers [OPTIONS] IMAGE'],
    short: 'Show what each layer of an image adds, changes, removes and wastes',
    long: `Show what each layer of an image adds, changes, removes and wastes

Wasted are bytes of a layer that a later layer replaces or removes: they are stored and sent, and no container
sees them. With --max-waste the command fails (exit code 1) when an image wastes more than that.`,
    aliases: [],
    flags: [
      ['', 'depth', 'int', 'Levels of directories that --files shows (0: all) (default 3)'],
      ['', 'files', 'bool', 'Show the files of each layer as a tree: A added, C changed, D removed'],
      ['', 'format', 'string', "Format output using a Go template, or 'json' for all of it, sizes in bytes"],
      ['', 'layer', 'list', 'Only this layer, counted from 1 at the bottom (repeatable)'],
      [
        '',
        'max-waste',
        'string',
        "Fail when more is wasted: a size ('50MB') or a share of the image ('10%')",
      ],
      ['', 'no-trunc', 'bool', "Don't truncate output"],
      ['', 'platform', 'string', "Platform of the image ('os[/arch[/variant]]')"],
    ],
  }),
  'network exposure': () => ({
    usage: ['network exposure [OPTIONS]'],
    short: 'Show what of the running containers is reachable, and from where',
    long: 'Show what of the running containers is reachable, and from where',
    aliases: [],
    flags: [['', 'format', 'string', "Format output using a Go template, 'table', or 'json'"]],
  }),
  'network trace': () => ({
    usage: ['network trace SOURCE DESTINATION[:PORT[/PROTOCOL]]'],
    short: 'Explain whether a packet passes',
    long: `Explain whether a packet passes

SOURCE and DESTINATION are containers, addresses, or 'host'. Every decision on the way is shown; the exit code
is 1 when the packet is dropped.`,
    aliases: [],
    flags: [['', 'format', 'string', "'json' for all of it"]],
  }),
  'system repair': () => ({
    usage: ['system repair [OPTIONS]'],
    short: 'Compare records with the kernel and put right what differs',
    long: 'Compare records with the kernel and put right what differs',
    aliases: [],
    flags: [
      ['', 'dry-run', 'bool', 'Only say what would be done'],
      ['', 'format', 'string', "Format output using a Go template, or 'json'"],
    ],
  }),
};

const publishing: readonly FlagRow[] = [
  ['', 'publish-add', 'list', 'Publish a port of the container, as with run --publish (repeatable)'],
  ['', 'publish-rm', 'list', 'Take a published port away: [[IP:]HOSTPORT:]PORT[/PROTOCOL] (repeatable)'],
];

/** Flags of our own on docker's commands. */
export const ownFlags: Readonly<Record<string, readonly FlagRow[]>> = {
  'container update': publishing,
  update: publishing,
};
