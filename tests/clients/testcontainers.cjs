'use strict';
// What a test suite written with Testcontainers does. argv: folder with node_modules; DOCKER_HOST names the engine.

const assert = require('node:assert/strict');
const { createRequire } = require('node:module');
const { join } = require('node:path');

const [folder] = process.argv.slice(2);
const { GenericContainer, Network, Wait } = createRequire(join(folder, 'package.json'))('testcontainers');

const text = async (url) => (await fetch(url)).text();

async function main() {
  const network = await new Network().start();
  const web = await new GenericContainer('busybox:latest')
    .withNetwork(network)
    .withNetworkAliases('web')
    .withExposedPorts(80)
    .withCopyContentToContainer([{ content: 'page', target: '/www/index.html' }])
    .withCommand(['sh', '-c', 'echo serving; exec httpd -f -p 80 -h /www'])
    .withHealthCheck({
      test: ['CMD-SHELL', 'wget -qO- http://127.0.0.1/'],
      interval: 200,
      timeout: 5000,
      retries: 50,
      startPeriod: 0,
    })
    .withWaitStrategy(
      Wait.forAll([
        Wait.forListeningPorts(),
        Wait.forHttp('/', 80),
        Wait.forHealthCheck(),
        Wait.forLogMessage('serving'),
      ]),
    )
    .start();
  assert.equal(await text(`http://${web.getHost()}:${web.getMappedPort(80)}/`), 'page');
  assert.deepEqual(await web.exec(['sh', '-c', 'echo out; echo err >&2; exit 3']), {
    output: 'out\nerr\n',
    stdout: 'out\n',
    stderr: 'err\n',
    exitCode: 3,
  });

  const client = await new GenericContainer('busybox:latest')
    .withNetwork(network)
    .withCommand(['sleep', '60'])
    .start();
  assert.equal((await client.exec(['wget', '-qO-', 'http://web/'])).stdout, 'page');
  await client.stop();

  await web.restart();
  assert.equal(await text(`http://${web.getHost()}:${web.getMappedPort(80)}/`), 'page');
  await web.stop();
  await network.stop();
  console.log('done');
  // Its connections to the engine are kept alive.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
