/** `--use-api-socket`: the engine's socket in the container, for tools that drive the engine from inside. */
import type { CommandContext } from '../command.ts';
import { CliError } from '../exit.ts';
import type { CreateBody } from './create-body.ts';

const socketInside = '/var/run/docker.sock';

/** The body with the socket mounted, when the flag asks for it. Credentials stay with the client, which is told. */
export function withApiSocket({ io, flags, host: endpoint }: CommandContext, body: CreateBody): CreateBody {
  if (!flags.bool('use-api-socket')) return body;
  const host = endpoint();
  if (!host.startsWith('unix://'))
    throw new CliError(`flag --use-api-socket needs an engine on a unix socket, not ${host}`);
  io.stderr.write(
    'WARNING: --use-api-socket hands over the socket alone; registry credentials stay with this client\n',
  );
  const mounts = (body.HostConfig['Mounts'] ?? []) as readonly object[];
  const socket = { Type: 'bind', Source: host.slice('unix://'.length), Target: socketInside };
  return { ...body, HostConfig: { ...body.HostConfig, Mounts: [...mounts, socket] } };
}

/** What this client does not do and was asked for. */
export function warnOfTrust({ io, flags }: CommandContext): void {
  if (flags.changed('disable-content-trust') && !flags.bool('disable-content-trust'))
    io.stderr.write('WARNING: content trust is not verified by this client\n');
}
