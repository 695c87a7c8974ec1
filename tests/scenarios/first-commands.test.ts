/** S02 to S06, S10 to S15: what a person does on the first day, by both clients. */

import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

for (const client of clients) {
  const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);
  const run = async (...args: string[]): ReturnType<Engine['run']> => await engine.run(client, args);

  describe(`by ${client}`, () => {
    test('S02 PID 1 inside is another PID on the host', async () => {
      const id = await ok('run', '-d', '--name', 's02', 'busybox', 'sleep', '1000');
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.match(await ok('exec', 's02', 'ps'), /^\s*1 root .*sleep 1000$/m);
      const pid = Number(await ok('inspect', '-f', '{{.State.Pid}}', 's02'));
      assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /^sleep\0/);
      assert.match(await ok('top', 's02'), new RegExp(`\\b${pid}\\b.*sleep 1000`));
      await ok('rm', '-f', 's02');
    });

    test('S03 namespaces are its own, and shared on request', async () => {
      await ok('run', '-d', '--name', 's03', 'busybox', 'sleep', '1000');
      const kinds = ['pid', 'mnt', 'ipc', 'uts', 'net'];
      const script = kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join(';');
      const own = (await ok('exec', 's03', 'sh', '-c', script)).split('\n');
      kinds.forEach((kind, at) => assert.notEqual(own[at], readlinkSync(`/proc/self/ns/${kind}`), kind));
      const joined = await ok(
        'run',
        '--rm',
        '--network',
        'container:s03',
        'busybox',
        'readlink',
        '/proc/self/ns/net',
      );
      assert.equal(joined, own[4]);
      assert.equal(
        await ok('run', '--rm', '--pid', 'host', 'busybox', 'readlink', '/proc/self/ns/pid'),
        readlinkSync('/proc/self/ns/pid'),
      );
      assert.equal(
        await ok('run', '--rm', '--network', 'host', 'busybox', 'readlink', '/proc/self/ns/net'),
        readlinkSync('/proc/self/ns/net'),
      );
      await ok('rm', '-f', 's03');
    });

    test('S04 a memory hog is killed: 137 and OOMKilled', async () => {
      const hog = await run(
        'run',
        '--name',
        's04',
        '--memory',
        '20m',
        'busybox',
        'sh',
        '-c',
        'x=a; while :; do x=$x$x; done',
      );
      assert.equal(hog.code, 137, hog.stderr);
      assert.equal(await ok('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 's04'), 'true 137');
      await ok('rm', 's04');
    });

    test('S05 pause freezes every process, unpause goes on', async () => {
      const count = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done';
      await ok('run', '-d', '--name', 's05', 'busybox', 'sh', '-c', `(${count}) & ${count}`);
      const lines = async (): Promise<number> => (await ok('logs', 's05')).split('\n').length;
      await eventually('some lines', async () => ((await lines()) > 4 ? true : undefined));
      await ok('pause', 's05');
      assert.match(await ok('ps', '--filter', 'name=s05', '--format', '{{.Status}}'), /^Up .* \(Paused\)$/);
      assert.equal(await ok('ps', '-q', '--filter', 'status=paused').then((ids) => ids.length), 12);
      const before = await lines();
      // Processes take no time while frozen: what they have used stays what it was.
      const used = async (): Promise<string> => {
        const pids = (await ok('top', 's05', '-eo', 'pid')).split('\n').slice(1);
        assert.ok(pids.length >= 2, String(pids));
        return pids
          .map((pid) => readFileSync(`/proc/${pid.trim()}/stat`, 'utf8').split(' ').slice(13, 15).join())
          .join(' ');
      };
      const first = await used();
      await delay(300);
      assert.equal(await used(), first);
      assert.equal(await lines(), before);
      const refused = await run('exec', 's05', 'true');
      assert.match(refused.stderr, /is paused, unpause the container before exec/);
      assert.equal((await run('pause', 's05')).code, 1);
      await ok('unpause', 's05');
      await eventually('more lines', async () => ((await lines()) > before ? true : undefined));
      assert.match((await run('unpause', 's05')).stderr, /is not paused/);
      await ok('rm', '-f', 's05');
    });

    test('S06 a container lives as long as its process', async () => {
      await ok('run', '--name', 's06', 'busybox', 'true');
      assert.match(await ok('ps', '-a', '--filter', 'name=s06', '--format', '{{.Status}}'), /^Exited \(0\)/);
      const failed = await run('run', '--rm', 'busybox', 'sh', '-c', 'exit 42');
      assert.equal(failed.code, 42);
      await ok('rm', 's06');
    });

    test('S11 stdin streams to its end without a terminal', async () => {
      const input = `${Array.from({ length: 20_000 }, (_, n) => `line ${n}`).join('\n')}\n`;
      const outcome = await engine.run(client, ['run', '--rm', '-i', 'busybox', 'cat'], input);
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.equal(outcome.stdout, input);
      const exec = await engine.ok(client, ['run', '-d', '--name', 's11', 'busybox', 'sleep', '1000']);
      assert.ok(exec);
      const counted = await engine.ok(client, ['exec', '-i', 's11', 'wc', '-c'], input);
      assert.equal(Number(counted), input.length);
      await ok('rm', '-f', 's11');
    });

    test('S12 the life of a container', async () => {
      const id = await ok(
        'run',
        '-d',
        '--name',
        's12',
        'busybox',
        'sh',
        '-c',
        'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done',
      );
      assert.match(await ok('ps'), new RegExp(id.slice(0, 12)));
      await eventually('its trap is set', async () => (await ok('logs', 's12')) === 'up' || undefined);
      assert.equal(await ok('stop', 's12'), 's12');
      assert.equal(await ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 's12'), 'exited 7');
      await ok('start', 's12');
      await ok('restart', '-t', '1', 's12');
      assert.equal(await ok('inspect', '-f', '{{.State.Running}}', 's12'), 'true');
      const refused = await run('rm', 's12');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /container is running/);
      await ok('kill', 's12');
      await eventually('the kill', async () =>
        (await ok('inspect', '-f', '{{.State.ExitCode}}', 's12')) === '137' ? true : undefined,
      );
      assert.equal(
        await ok('ps', '-q', '-a', '--no-trunc', '--filter', 'status=exited', '--filter', 'name=s12'),
        id,
      );
      await ok('rename', 's12', 's12b');
      await ok('rm', 's12b');
      assert.equal(await ok('ps', '-aq', '--filter', 'name=s12'), '');
      await ok('create', '--name', 's12c', 'busybox', 'true');
      assert.match(await ok('container', 'prune', '-f'), /Deleted Containers:/);
    });

    test('S13 logs, exec, top, stats, events', async () => {
      await ok(
        'run',
        '-d',
        '--name',
        's13',
        'busybox',
        'sh',
        '-c',
        'for i in 1 2 3; do echo out $i; echo err $i >&2; done; sleep 1000',
      );
      const both = await eventually('six lines', async () => {
        const logs = await run('logs', 's13');
        return logs.stdout.includes('out 3') && logs.stderr.includes('err 3') ? logs : undefined;
      });
      assert.equal(both.stdout, 'out 1\nout 2\nout 3\n');
      assert.equal(both.stderr, 'err 1\nerr 2\nerr 3\n');
      const tail = await run('logs', '--tail', '1', '-t', 's13');
      assert.match(tail.stdout + tail.stderr, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (out|err) 3\n$/);
      assert.match(await ok('exec', 's13', 'cat', '/etc/hosts'), /127\.0\.0\.1\s+localhost/);
      const failing = await run('exec', 's13', 'sh', '-c', 'exit 9');
      assert.equal(failing.code, 9);
      const stats = JSON.parse(await ok('stats', '--no-stream', '--format', 'json', 's13')) as {
        Name: string;
        MemUsage: string;
      };
      assert.equal(stats.Name, 's13');
      assert.match(stats.MemUsage, /iB \/ /);
      const since = String(Math.floor(Date.now() / 1000) - 60);
      const events = await ok(
        'events',
        '--since',
        since,
        '--until',
        '0s',
        '--filter',
        'container=s13',
        '--format',
        '{{.Action}}',
      );
      assert.deepEqual(events.split('\n').slice(0, 2), ['create', 'start']);
      await ok('rm', '-f', 's13');
    });

    test('S14 environment, working directory, user, host name, entry point', async () => {
      const shown = await ok(
        'run',
        '--rm',
        '-e',
        'A=b c',
        '-w',
        '/var/new',
        '-u',
        'www-data',
        '--hostname',
        'box',
        '--entrypoint',
        'sh',
        'busybox',
        '-c',
        'echo "$A"; pwd; id -u; hostname',
      );
      assert.equal(shown, 'b c\n/var/new\n33\nbox');
      await ok('run', '-d', '--name', 's14', '--restart', 'on-failure:2', 'busybox', 'false');
      await eventually('two restarts', async () =>
        (await ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 's14')) === '2 exited'
          ? true
          : undefined,
      );
      await ok('rm', 's14');
    });

    test('S15 Go templates', async () => {
      await ok('run', '-d', '--name', 's15', '-l', 'a=b', 'busybox', 'sleep', '1000');
      assert.equal(
        await ok('ps', '--format', 'table {{.Image}}\t{{.Names}}', '--filter', 'name=s15'),
        'IMAGE     NAMES\nbusybox   s15',
      );
      const layers = JSON.parse(
        await ok('image', 'inspect', '--format', '{{ json .RootFS.Layers }}', 'busybox'),
      ) as string[];
      assert.match(layers[0] ?? '', /^sha256:/);
      assert.equal(
        await ok('inspect', '-f', '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{end}}', 's15'),
        'a=b',
      );
      await ok('rm', '-f', 's15');
    });

    test('missing and not executable commands, unknown images, names in use', async () => {
      const missing = await run('run', '--rm', 'busybox', 'no-such-program');
      assert.equal(missing.code, 127, missing.stderr);
      assert.match(missing.stderr, /no-such-program.*executable file not found in \$PATH/);
      const forbidden = await run('run', '--rm', 'busybox', '/etc/passwd');
      assert.equal(forbidden.code, 126, forbidden.stderr);
      assert.match(forbidden.stderr, /permission denied/);
      const unknown = await run('inspect', 'no-such-thing');
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /No such object: no-such-thing/);
      await ok('create', '--name', 'taken', 'busybox');
      const taken = await run('create', '--name', 'taken', 'busybox');
      assert.equal(taken.code, 1);
      assert.match(
        taken.stderr,
        /Conflict\. The container name "\/taken" is already in use by container "[0-9a-f]{64}"\. You have to remove \(or rename\) that container to be able to reuse that name\./,
      );
      await ok('rm', 'taken');
      assert.equal(await ok('ps', '-aq'), '', 'nothing is left behind');
    });
  });
}
