/** Creating a container for `run` and `create`: pulls the image when it is missing, writes the id file. */
import fs from 'node:fs';
import path from 'node:path';
import { ApiError } from '../../client/index.ts';
import type { CommandContext } from '../command.ts';
import { CliError } from '../exit.ts';
import { pullImage } from '../pull-image.ts';
import { familiarName, parseName, type ParsedName } from '../reference-name.ts';
import { showProgress } from '../render/progress.ts';
import { warnOfTrust, withApiSocket } from './api-socket.ts';
import type { CreateBody } from './create-body.ts';

const POLICIES = ['always', 'missing', 'never'];

/** Undefined for an id, which nobody can pull. Throws CliError for what is no image name. */
const nameOf = (image: string): ParsedName | undefined =>
  /^(sha256:)?[0-9a-f]{64}$/.test(image) ? undefined : parseName(image);

async function pull(
  { io, flags, client, config }: CommandContext,
  name: ParsedName,
  platform: string | undefined,
): Promise<void> {
  const messages = await pullImage(client(), config(), { name, platform });
  const silent = { ...io.stderr, isTerminal: false, size: () => io.stderr.size(), write: () => undefined };
  await showProgress(messages, flags.bool('quiet') ? silent : io.stderr);
}

function checkIdFile(file: string): void {
  if (file === '') return;
  if (!fs.existsSync(path.dirname(file))) {
    throw new CliError(`failed to create the container ID file: open ${file}: no such file or directory`);
  }
  if (fs.existsSync(file)) {
    throw new CliError(
      `container ID file found, make sure the other container isn't running or delete ${file}`,
    );
  }
}

/** Makes the container and answers its id; warnings of the engine go to stderr. */
export async function createContainer(c: CommandContext, body: CreateBody): Promise<string> {
  const { io, flags, args, client } = c;
  const policy = flags.string('pull');
  if (!POLICIES.includes(policy)) {
    throw new CliError(`invalid pull option: '${policy}': must be one of "always", "missing" or "never"`);
  }
  const name = nameOf(args[0] ?? '');
  const file = flags.string('cidfile');
  checkIdFile(file);
  const platform = flags.string('platform') || io.env['DOCKER_DEFAULT_PLATFORM'];
  warnOfTrust(c);
  const request = {
    name: flags.string('name') || undefined,
    platform: platform || undefined,
    body: withApiSocket(c, body),
  };
  if (policy === 'always' && name !== undefined) await pull(c, name, platform);
  const create = () => client().containers.create(request);
  const created = await create().catch(async (error: unknown) => {
    const missing =
      error instanceof ApiError && error.status === 404 && policy === 'missing' && name !== undefined;
    if (!missing) throw error;
    if (!flags.bool('quiet')) io.stderr.write(`Unable to find image '${familiarName(name)}' locally\n`);
    await pull(c, name, platform);
    return create();
  });
  for (const warning of created.Warnings ?? []) io.stderr.write(`WARNING: ${warning}\n`);
  if (file !== '') fs.writeFileSync(file, created.Id);
  return created.Id;
}
