// timeout: 400
/** S55: a database and a web application that finds it by name, and a web server that another host reaches; on the ports that people use, in namespaces of the test's own. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mariadbImage, mariadbImageName } from '../helpers/images/mariadb.ts';
import { nginxImage, nginxImageName, nginxPage } from '../helpers/images/nginx.ts';
import type { Peer } from '../peers/process.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { eventually, runProgram } from './engine.ts';

const slipway = join(import.meta.dirname, '../../dist/bin/slipway');

/** Answers every request with what the database has, asked for by the name that the environment gives. */
const application = `use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\\s*$/ }
  my $rows = qx(mariadb -h $ENV{DB_Host} -u app -p$ENV{DB_Password} -N -e "SELECT text FROM lab.greetings" 2>&1);
  print $client "HTTP/1.0 200 OK\\r\\n\\r\\n$rows";
  close $client;
}`;

let parent: string;
let peer: Peer;
/** Another host, on a wire to the engine's. */
let outside: ChildProcess;

const shell = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' });
const ok = async (program: string, ...args: string[]): Promise<string> => {
  const outcome = await runProgram(program, ['-H', `unix://${peer.socket}`, ...args]);
  assert.equal(outcome.code, 0, `${program} ${args.join(' ')}: ${outcome.stderr}`);
  return outcome.stdout.trim();
};
/** What a page says, asked from another host. */
const page = (url: string, wanted: string): Promise<string> =>
  eventually(
    `${url} says ${wanted}`,
    async () => {
      const from = [`--net=/proc/${outside.pid}/ns/net`, 'curl', '-sS', '-m', '5', url];
      const { stdout } = await runProgram('nsenter', from);
      return stdout.includes(wanted) ? stdout : undefined;
    },
    60_000,
  );

before(async () => {
  parent = mkdtempSync('/tmp/slip-');
  peer = await startSlipwayd({ folder: join(parent, 'engine'), name: `slips${process.pid % 100_000}` });
  outside = spawn('unshare', ['--net', 'sh', '-c', 'echo up; exec sleep 900'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(outside.stdout !== null);
  await once(outside.stdout, 'data');
  const [here, there] = [peer.pid, outside.pid].map((pid) => `nsenter --net=/proc/${pid}/ns/net`);
  shell(
    `${here} ip link add wire type veth peer name wire netns ${outside.pid}
     ${here} ip addr add 192.0.2.2/24 dev wire; ${here} ip link set wire up; ${here} ip route add default via 192.0.2.1
     ${there} ip addr add 192.0.2.1/24 dev wire; ${there} ip link set wire up`,
  );
});
after(async () => {
  outside?.kill('SIGKILL');
  await peer?.stop();
  rmSync(parent, { recursive: true, force: true });
});

test('S55 a database and a web application on one network; the application finds it by name', async () => {
  await ok('docker', 'load', '-i', await mariadbImage());
  await ok(
    slipway,
    ...'network create --driver bridge --subnet 182.18.0.1/24 --gateway 182.18.0.1 wp-mysql-network'.split(
      ' ',
    ),
  );
  await ok(
    slipway,
    ...'run -d -e MYSQL_ROOT_PASSWORD=db_pass123 --name mysql-db --network wp-mysql-network'.split(' '),
    mariadbImageName,
    // Debian's configuration keeps it to the loopback.
    '--bind-address=0.0.0.0',
  );
  const sql = (text: string) => ['exec', 'mysql-db', 'mariadb', '-e', text];
  await eventually(
    'the database answers',
    async () => {
      const outcome = await runProgram(slipway, ['-H', `unix://${peer.socket}`, ...sql('SELECT 1')]);
      return outcome.code === 0 ? true : undefined;
    },
    60_000,
  );
  await ok(
    slipway,
    ...sql(
      "CREATE DATABASE lab; CREATE TABLE lab.greetings (text TEXT); INSERT INTO lab.greetings VALUES ('hello from the database'); CREATE USER app@'%' IDENTIFIED BY 'db_pass123'; GRANT SELECT ON lab.* TO app@'%'",
    ),
  );
  await ok(
    'docker',
    ...'run -d -p 38080:8080 -e DB_Host=mysql-db -e DB_Password=db_pass123 --name webapp'.split(' '),
    '--network',
    'wp-mysql-network',
    '--entrypoint',
    'perl',
    mariadbImageName,
    '-e',
    application,
  );
  await page('http://192.0.2.2:38080/', 'hello from the database');
  const address = (name: string): Promise<string> =>
    ok(slipway, 'inspect', '-f', '{{(index .NetworkSettings.Networks "wp-mysql-network").IPAddress}}', name);
  assert.match(await address('webapp'), /^182\.18\.0\.\d+$/);
  const before = await address('mysql-db');
  // Its address goes to another one, and it comes back with the next: the name is what counts.
  await ok(slipway, 'stop', '-t', '5', 'mysql-db');
  await ok(
    slipway,
    'run',
    '-d',
    '--name',
    'taker',
    '--network',
    'wp-mysql-network',
    '--entrypoint',
    'sleep',
    mariadbImageName,
    '600',
  );
  await ok('docker', 'start', 'mysql-db');
  assert.notEqual(await address('mysql-db'), before);
  await page('http://192.0.2.2:38080/', 'hello from the database');
  await ok('docker', 'rm', '-f', 'webapp', 'mysql-db', 'taker');
  await ok(slipway, 'network', 'rm', 'wp-mysql-network');
});

test('S55 nginx on 8080 answers another host, from its first request to its removal', async () => {
  await ok('docker', 'load', '-i', await nginxImage());
  await ok(slipway, 'run', '-d', '--name', 'nginx', '-p', '8080:80', nginxImageName);
  assert.equal(await page('http://192.0.2.2:8080/', 'Hello from nginx'), nginxPage);
  assert.equal(
    await ok('docker', 'port', 'nginx', '80/tcp').then((text) => text.split('\n')[0]),
    '0.0.0.0:8080',
  );
  const log = await ok(slipway, 'logs', 'nginx');
  assert.match(log, /^192\.0\.2\.1 .*"GET \/ HTTP\/1\.1" 200/m, 'the other host s own address');
  await ok('docker', 'rm', '-f', 'nginx');
  const { code } = await runProgram('nsenter', [
    `--net=/proc/${outside.pid}/ns/net`,
    'curl',
    '-sS',
    '-m',
    '5',
    'http://192.0.2.2:8080/',
  ]);
  assert.equal(code, 7, 'refused, as where nobody listens');
});
