/** What must hold of an engine's traces on the host once its daemon is up: everything there belongs to a record, and the reverse. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

export interface Place {
  readonly folder: string;
  readonly instance: string;
  readonly socket: string;
}

export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Pid: number;
    readonly Running: boolean;
    readonly ExitCode: number;
  };
}

/** One call of the API; the parsed answer, or the status when it is an error. */
export function call(
  socket: string,
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(
      { socketPath: socket, method, path: `/v1.45${path}`, headers, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('error', reject);
        answer.once('end', () => {
          const json = answer.headers['content-type']?.includes('json') === true && text !== '';
          resolve({ status: answer.statusCode ?? 0, body: json ? JSON.parse(text) : text });
        });
      },
    );
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const names = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
const isId = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

/** All containers in full. */
export async function inspectAll(place: Place): Promise<readonly Inspected[]> {
  const { body } = await call(place.socket, 'GET', '/containers/json?all=1');
  const ids = (body as { Id: string }[]).map((one) => one.Id);
  const all = await Promise.all(ids.map((id) => call(place.socket, 'GET', `/containers/${id}/json`)));
  // One that a restart policy or --rm moved on meanwhile may be gone.
  return all.filter((one) => one.status === 200).map((one) => one.body as Inspected);
}

function shims(place: Place): readonly string[] {
  return names('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const isOurs =
        command[0]?.endsWith('slipway-shim') === true &&
        command.some((word) => word.startsWith(place.folder));
      return isOurs ? [command[command.indexOf('--id') + 1] ?? ''] : [];
    } catch {
      return [];
    }
  });
}

function mountedSnapshots(place: Place): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${place.folder}/data/overlay2/`))
    .map((target) => target.split('/').find(isId) ?? target);
}

function cgroups(place: Place): readonly string[] {
  const roots = names('/sys/fs/cgroup').map((controller) =>
    join('/sys/fs/cgroup', controller, place.instance),
  );
  return [join('/sys/fs/cgroup', place.instance), ...roots].flatMap((root) => names(root).filter(isId));
}

/** What the kernel says of a container's freezer; false where it has none (any more). */
function isFrozen(place: Place, id: string): boolean {
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/freezer', '/sys/fs/cgroup/unified'];
  return roots.some((root) =>
    ['freezer.state', 'cgroup.freeze'].some((file) => {
      try {
        const text = readFileSync(join(root, place.instance, id, file), 'utf8').trim();
        return text === 'FROZEN' || text === '1';
      } catch {
        return false;
      }
    }),
  );
}

/** Asserts that nothing is half-way and nothing is left over. */
export async function assertConverged(place: Place): Promise<readonly Inspected[]> {
  const all = await inspectAll(place);
  const known = new Set(all.map((one) => one.Id));
  const running = new Set(all.filter((one) => one.State.Running).map((one) => one.Id));
  for (const one of all) {
    assert.match(one.State.Status, /^(created|running|paused|exited|restarting)$/, one.Name);
    if (one.State.Running)
      assert.equal(isFrozen(place, one.Id), one.State.Status === 'paused', `${one.Name}: its freezer`);
    if (one.State.Status === 'running')
      assert.ok(names(`/proc/${one.State.Pid}`).length > 0, `${one.Name} has no process`);
  }
  const orphans = (what: string, found: readonly string[], held: ReadonlySet<string>): void => {
    assert.deepEqual(
      found.filter((id) => !held.has(id)),
      [],
      `left over: ${what}`,
    );
  };
  orphans('snapshots', names(join(place.folder, 'data/overlay2/snapshots')), known);
  orphans('directories', names(join(place.folder, 'data/containers')), known);
  orphans('network files', names(join(place.folder, 'run/files')), known);
  orphans('bundles', names(join(place.folder, 'run/bundles')), running);
  orphans('mounts', mountedSnapshots(place), running);
  orphans('cgroups', cgroups(place), running);
  orphans('shims', shims(place), running);
  return all;
}
