import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pidPath } from '../core/netd-protocol.ts';
import { createLightHost } from '../host/index.ts';
import { formerEnded } from './takeover.ts';

test('the former process is waited for until it is gone, another one of its number is not', async () => {
  const host = createLightHost();
  const runRoot = mkdtempSync(join(tmpdir(), 'slip-'));
  const child = spawn('sleep', ['60'], { argv0: runRoot });
  const stranger = spawn('sleep', ['60']);
  try {
    await formerEnded(host, runRoot);
    writeFileSync(pidPath(runRoot), String(stranger.pid));
    await formerEnded(host, runRoot);
    writeFileSync(pidPath(runRoot), String(child.pid));
    let over = false;
    const waiting = formerEnded(host, runRoot).then(() => (over = true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(over, false);
    child.kill('SIGKILL');
    await Promise.all([once(child, 'exit'), waiting]);
  } finally {
    child.kill('SIGKILL');
    stranger.kill('SIGKILL');
    await host.close();
    rmSync(runRoot, { recursive: true, force: true });
  }
});
