/** Help pages of the commands that only Slipway has. */
import type { Reference } from './reference.ts';

export const ownPages: Reference = {
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
