/** A session of many commands, and what an engine's event stream says meanwhile, in a form that two engines can be compared by. */

import { request } from 'node:http';

/** Each step is one or more command lines of the docker CLI; what it tells is compared as one. */
export interface Step {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
}

const line = (text: string): readonly string[] => text.split(' ');
const step = (name: string, ...commands: string[]): Step => ({ name, commands: commands.map(line) });

export const session: readonly Step[] = [
  step('volume create', 'volume create --label l=1 v1'),
  step('network create', 'network create --label l=1 n1'),
  step('create', 'create --name aa -v v1:/data --network n1 --label l=1 busybox sleep 1000'),
  step('start', 'start aa'),
  step('pause', 'pause aa'),
  step('unpause', 'unpause aa'),
  step('rename', 'rename aa bb'),
  step('update', 'update --cpu-shares 512 bb'),
  step('exec', 'exec bb true'),
  step('exec that fails', 'exec bb sh -c exit␠3'),
  step('exec of nothing', 'exec bb /no/such'),
  step('top', 'top bb'),
  step('cp out', 'cp bb:/etc/passwd -'),
  step('cp in', 'cp /etc/hostname bb:/tmp'),
  step('export', 'export bb'),
  step('kill with a signal', 'kill -s USR1 bb'),
  step('connect', 'network connect bridge bb'),
  step('disconnect', 'network disconnect bridge bb'),
  step('commit', 'commit bb img:1'),
  step('tag', 'tag img:1 img:2'),
  step('untag', 'rmi img:2'),
  step('rmi', 'rmi img:1'),
  step('stop', 'stop -t 0 bb'),
  step('start again', 'start bb'),
  step('restart', 'restart -t 0 bb'),
  step('kill', 'kill bb'),
  step('rm', 'rm bb'),
  step('volume rm', 'volume rm v1'),
  step('network rm', 'network rm n1'),
  step('run --rm', 'run --rm --name cc -v /anonymous busybox sh -c exit␠4'),
  step('run of nothing', 'run --name dd busybox /no/such'),
  step('rm of what never ran', 'rm dd'),
  step('rm -f', 'run -d --name ee busybox sleep 1000', 'rm -f ee'),
  step('oom', 'run --name ff -m 20m busybox sh -c x=a;␠while␠:;␠do␠x=$x$x;␠done', 'rm ff'),
  step('prune', 'create --name gg busybox true', 'container prune -f'),
  step('prune of volumes', 'volume prune -f'),
  step('prune of networks', 'network create n2', 'network prune -f'),
  step('prune of images', 'image prune -f'),
];

/** Blanks inside a word are written `␠` above. */
export const wordsOf = (command: readonly string[]): string[] =>
  command.map((word) => word.replaceAll('␠', ' '));

export interface RawEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> | null };
  readonly scope?: string;
}

/** `container die f exitCode=137 image=busybox`: ids become the names of what they name, times and sizes go. */
export function describeEvent(event: RawEvent): string {
  const hide = (text: string): string =>
    text.replace(/sha256:[0-9a-f]{64}/g, '<image>').replace(/[0-9a-f]{64}/g, '<id>');
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .filter(([key]) => key !== 'execDuration')
    .map(([key, value]) => `${key}=${key === 'reclaimed' ? '<bytes>' : hide(value)}`)
    .sort();
  return [event.Type, event.Action, hide(event.Actor.ID), ...attributes].join(' ');
}

/** Reads the events between two times (seconds) of an engine. */
export function readEvents(socketPath: string, since: string, until: string): Promise<readonly RawEvent[]> {
  return new Promise((resolve, reject) => {
    const path = `/v1.41/events?since=${since}&until=${until}`;
    const sent = request({ socketPath, path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.once('error', reject);
      answer.once('end', () => {
        const lines = text.split('\n').filter((each) => each !== '');
        resolve(lines.map((each) => JSON.parse(each) as RawEvent));
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}
