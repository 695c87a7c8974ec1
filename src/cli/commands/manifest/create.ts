/** `manifest create`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { CliError } from '../../exit.ts';
import { entryOf, readList, writeEntry } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

export const command: CommandModule = {
  args: minArgs(2),
  async run({ io, flags, args, client, config }) {
    const list = fullName(args[0] ?? '');
    if (readList(config(), list) !== undefined && !flags.bool('amend'))
      throw new CliError('refusing to amend an existing manifest list with no --amend flag');
    const refs = args.slice(1).map((name) => fullName(name));
    // All are looked at before the first is written: a list is never half there.
    const entries = await Promise.all(
      refs.map(async (ref) =>
        entryOf(ref, await client().images.manifest(ref, findAuth(config(), registryOf(ref)))),
      ),
    );
    for (const entry of entries) writeEntry(config(), list, entry);
    io.stdout.write(`Created manifest list ${list}\n`);
  },
};
