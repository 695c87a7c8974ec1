// timeout: 400
/** The reference engine comes up alone in its namespaces, serves containers there, and leaves nothing behind. */

import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { HttpClient } from '../../bench/http.ts';
import { dockerdVersions, startDockerd } from './dockerd.ts';

const apiVersions = { '20.10': '1.41', '26.1': '1.45' } as const;

for (const version of dockerdVersions)
  test(`dockerd ${version} answers with its version and is gone after stop`, async () => {
    const parent = mkdtempSync('/tmp/slip-peer-');
    const folder = `${parent}/docker`;
    const name = `slip-peer-${process.pid}`;
    const peer = await startDockerd({ folder, name }, version);
    try {
      const http = new HttpClient(peer.socket);
      const answer = JSON.parse((await http.request('GET', '/version')).body) as { ApiVersion: string };
      assert.equal(answer.ApiVersion, apiVersions[version]);
      http.close();
      const inside = await peer.execInside(['ip', '-4', '-o', 'address', 'show', 'docker0']);
      assert.match(inside.stdout, /172\.17\.0\.1\/16/);
      assert.equal(existsSync('/sys/class/net/docker0'), false, 'its bridge is not on the host');
    } finally {
      await peer.stop();
    }
    assert.equal(existsSync(folder), false);
    assert.equal(existsSync(`/proc/${peer.pid}`), false);
    assert.deepEqual(globSync(`/sys/fs/cgroup/*/${name}`), []);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(parent), false);
    rmSync(parent, { recursive: true });
  });
