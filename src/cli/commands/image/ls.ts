/** `images`, `image ls`. */
import { type CommandModule, maxArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { parseFilters } from '../../filters.ts';
import type { Flags } from '../../flags/parse.ts';
import { writeImageTree } from '../../render/image-tree.ts';
import { IMAGE_TITLES, imageNames, imageRow } from '../../render/image.ts';
import { writeListing } from '../../render/listing.ts';
import { shortId } from '../../render/units.ts';

/** In docker's words: the tree is for people. */
function checkTreeFlags(flags: Flags): void {
  const refused = [
    ['quiet', '--quiet'],
    ['no-trunc', '--no-trunc'],
    ['digests', '--show-digest'],
  ] as const;
  for (const [flag, shown] of refused)
    if (flags.bool(flag)) throw new CliError(`${shown} is not yet supported with --tree`);
  if (flags.string('format') !== '') throw new CliError('--format is not yet supported with --tree');
}

export const command: CommandModule = {
  args: maxArgs(1),
  async run({ io, flags, args, client, config }) {
    const filters = parseFilters(flags.list('filter'));
    const [pattern] = args;
    if (pattern !== undefined && pattern !== '')
      filters['reference'] = [...(filters['reference'] ?? []), pattern];
    if (flags.bool('tree')) {
      checkTreeFlags(flags);
      const manifests = await client().images.list({ all: flags.bool('all'), filters, manifests: true });
      writeImageTree(io.stdout, manifests, flags.bool('all'));
      return;
    }
    const images = await client().images.list({ all: flags.bool('all'), filters });
    const quiet = flags.bool('quiet');
    const truncate = !flags.bool('no-trunc');
    const format =
      flags.string('format') === '' && !quiet ? (config().imagesFormat ?? '') : flags.string('format');
    const rowPerDigest = flags.bool('digests');
    const shown = { rowPerDigest, digests: rowPerDigest || /\{\{[^}]*\.Digest\b/.test(format) };
    const named = images.flatMap((image) => imageNames(image, shown).map((name) => ({ image, name })));
    if (quiet && format === '') {
      io.stdout.write(named.map(({ image }) => `${truncate ? shortId(image.Id) : image.Id}\n`).join(''));
      return;
    }
    const digest = flags.bool('digests') ? '{{.Digest}}\t' : '';
    writeListing(io.stdout, {
      format,
      table: quiet
        ? '{{.ID}}'
        : `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}`,
      raw: quiet
        ? 'image_id: {{.ID}}'
        : `repository: {{ .Repository }}\ntag: {{.Tag}}\n${flags.bool('digests') ? 'digest: {{.Digest}}\n' : ''}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`,
      titles: IMAGE_TITLES,
      rows: named.map(({ image, name }) => imageRow(image, name, { truncate, now: io.now() })),
    });
  },
};
