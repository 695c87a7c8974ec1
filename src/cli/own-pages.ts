/** Help pages of the commands that only Slipway has. */
import type { Reference } from './reference.ts';

export const ownPages: Reference = {
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
