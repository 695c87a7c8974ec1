import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from './config.ts';
import { eraseAuth, findAuth, helperFor, storeAuth } from './credentials.ts';

const server = 'registry.test:5000';
const path = process.env['PATH'];
let folder: string;
let kept: string;

/** A helper that keeps one entry in a file, and knows none while that is missing. */
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'slip-creds-'));
  kept = join(folder, 'kept');
  const script = `#!/bin/sh
case $1 in
store) cat > ${kept} ;;
get) cat > ${folder}/asked; [ -e ${kept} ] && cat ${kept} || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm -f ${kept} ;;
esac
`;
  writeFileSync(join(folder, 'docker-credential-kept'), script);
  writeFileSync(join(folder, 'docker-credential-broken'), '#!/bin/sh\necho the keychain is locked; exit 3\n');
  for (const name of ['kept', 'broken']) chmodSync(join(folder, `docker-credential-${name}`), 0o755);
  process.env['PATH'] = `${folder}${delimiter}${path ?? ''}`;
});
after(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

function configWith(value: object): ReturnType<typeof loadConfig> {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(value));
  return loadConfig(folder);
}

test('a helper keeps passwords and identity tokens; the file only says that there is one', () => {
  const auths = { [server]: { auth: Buffer.from('me:old').toString('base64') } };
  const config = configWith({ credHelpers: { [server]: 'kept' }, auths });
  assert.equal(findAuth(config, server), undefined);
  assert.equal(readFileSync(join(folder, 'asked'), 'utf8'), server);
  storeAuth(config, server, { username: 'me', password: 'secret' });
  assert.deepEqual(JSON.parse(readFileSync(kept, 'utf8')), {
    ServerURL: server,
    Username: 'me',
    Secret: 'secret',
  });
  assert.deepEqual(loadConfig(folder).auths, { [server]: {} });
  assert.deepEqual(findAuth(config, server), {
    username: 'me',
    password: 'secret',
    serveraddress: server,
  });
  storeAuth(config, server, { username: 'me', password: 'secret', identitytoken: 'token' });
  assert.deepEqual(findAuth(config, server), { identitytoken: 'token', serveraddress: server });
  eraseAuth(loadConfig(folder), server);
  assert.ok(!existsSync(kept));
  assert.deepEqual(loadConfig(folder).auths, {});
});

test('the store is for all registries, a helper of one comes first', () => {
  const config = configWith({ credsStore: 'broken', credHelpers: { [server]: 'kept' } });
  assert.equal(helperFor(config, server), 'kept');
  assert.equal(helperFor(config, 'other.test'), 'broken');
  assert.throws(() => findAuth(config, 'other.test'), {
    message: 'error getting credentials - err: exit status 3, out: `the keychain is locked`',
  });
  const missing = configWith({ credsStore: 'nowhere' });
  assert.throws(() => findAuth(missing, server), { message: /^error getting credentials - err: .*ENOENT/ });
});

test('without a helper the file keeps it, for its owner alone, with identity tokens instead of passwords', () => {
  rmSync(join(folder, 'config.json'));
  const auth = { username: 'me', password: 'p:w' };
  assert.equal(storeAuth(loadConfig(folder), server, auth), true);
  assert.equal(storeAuth(loadConfig(folder), server, auth), false, 'nothing new: nothing to warn of');
  assert.equal(statSync(join(folder, 'config.json')).mode & 0o777, 0o600);
  assert.deepEqual(findAuth(loadConfig(folder), server), {
    username: 'me',
    password: 'p:w',
    serveraddress: server,
  });
  storeAuth(loadConfig(folder), server, { username: 'me', password: 'p:w', identitytoken: 'token' });
  const text = readFileSync(join(folder, 'config.json'), 'utf8');
  assert.ok(!text.includes(Buffer.from('me:p:w').toString('base64')));
  assert.equal(findAuth(loadConfig(folder), server)?.identitytoken, 'token');
  eraseAuth(loadConfig(folder), `https://${server}/`);
  assert.equal(findAuth(loadConfig(folder), server), undefined);
});
