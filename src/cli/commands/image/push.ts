/** `push`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { findAuth, registryOf } from '../../credentials.ts';
import { CliError } from '../../exit.ts';
import { familiarName, parseName } from '../../reference-name.ts';
import { showProgress } from '../../render/progress.ts';

interface PushedManifest {
  readonly Tag?: string;
  readonly manifestPushedInsteadOfIndex?: boolean;
  readonly originalIndex?: { readonly digest: string };
  readonly selectedManifest?: { readonly digest: string };
}

/** What the pushed name lacks, in docker's words. */
function noteOf({ manifestPushedInsteadOfIndex, originalIndex, selectedManifest }: PushedManifest): string {
  if (manifestPushedInsteadOfIndex !== true) return '';
  return `\nNot all multiplatform-content is present and only the available single-platform image was pushed\n${originalIndex?.digest ?? ''} -> ${selectedManifest?.digest ?? ''}\n`;
}

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client, config }) {
    const name = parseName(args[0] ?? '');
    const allTags = flags.bool('all-tags');
    const quiet = flags.bool('quiet');
    if (allTags && (name.tag !== undefined || name.digest !== undefined)) {
      throw new CliError("tag can't be used with --all-tags/-a");
    }
    // A digest says what shall be there, not what name it shall have.
    if (name.digest !== undefined) throw new CliError('cannot push a digest reference');
    const tag = allTags ? '' : (name.tag ?? 'latest');
    if (!allTags && name.tag === undefined && !quiet) {
      io.stdout.write('Using default tag: latest\n');
    }
    const messages = await client().images.push({
      name: name.full,
      tag,
      platform: flags.string('platform'),
      auth: findAuth(config(), registryOf(name.full)),
    });
    const pushed: PushedManifest[] = [];
    const onAux = (aux: unknown): void => void pushed.push(aux as PushedManifest);
    const silent = { ...io.stdout, isTerminal: false, size: () => io.stdout.size(), write: () => undefined };
    await showProgress(messages, quiet ? silent : io.stdout, onAux);
    for (const each of pushed) io.stdout.write(noteOf(each));
    if (quiet) io.stdout.write(`${name.full}${tag === '' ? '' : `:${tag}`}\n`);
    if (pushed.length === 0 && io.env['SLIPWAY_DEBUG'] !== undefined)
      io.stderr.write(`${familiarName(name)}: no digest reported\n`);
  },
};
