/** `inspect` of any kind of object: the first kind that knows the name wins. */
import { ApiError, type Client } from '../../../client/index.ts';
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { inspectAll } from '../../inspect.ts';

type Fetch = (client: Client, name: string, size: boolean) => Promise<string>;

const KINDS: readonly (readonly [string, Fetch])[] = [
  ['container', (client, name, size) => client.containers.inspectRaw(name, size)],
  ['image', (client, name) => client.images.inspectRaw(name)],
  ['network', (client, name) => client.networks.inspectRaw(name)],
  ['volume', (client, name) => client.volumes.inspectRaw(name)],
];

const isNotFound = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 404 || (error.status === 400 && /invalid reference format/.test(error.message)));

async function fetchAny(client: Client, kinds: typeof KINDS, name: string, size: boolean): Promise<string> {
  for (const [kind, fetch] of kinds) {
    try {
      return await fetch(client, name, size && kind === 'container');
    } catch (error) {
      if (!isNotFound(error) || kinds.length === 1) throw error;
    }
  }
  throw new CliError(`Error: No such object: ${name}`);
}

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const type = flags.string('type');
    if (flags.changed('type') && type === '')
      throw new CliError(
        'type is empty: must be one of "config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"',
      );
    const kinds = type === '' ? KINDS : KINDS.filter(([kind]) => kind === type);
    if (kinds.length === 0) {
      throw new CliError(
        `unknown type: ${JSON.stringify(type)}: must be one of ${KINDS.map(([kind]) => JSON.stringify(kind)).join(', ')}`,
      );
    }
    await inspectAll(io, args, flags.string('format'), (name) =>
      fetchAny(client(), kinds, name, flags.bool('size')),
    );
  },
};
