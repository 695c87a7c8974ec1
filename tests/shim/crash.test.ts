// timeout: 300
/**
 * A daemon killed at random points of starts, execs and floods: each container it announced either runs on and can be taken over, has an
 * exit record, or left no trace; and its log has every line once.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { TaskSpec } from '../../src/core/ports/runtime.ts';
import { readSome } from '../contracts/runtime.contract.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();

interface Announced {
  readonly index: number;
  readonly spec: TaskSpec;
}

describe('the daemon is killed', () => {
  let machine: ShimMachine;
  before(async () => {
    machine = await createMachine('crun');
  });
  after(() => machine.close());

  /** Runs a daemon and kills it `afterMs` milliseconds after its first announcement. */
  const crash = async (
    runtimeName: string,
    afterMs: number,
  ): Promise<{ announced: Announced[]; pids: Map<string, number> }> => {
    const daemon = spawn(
      process.execPath,
      [`${import.meta.dirname}/crash-daemon.ts`, machine.directory, runtimeName],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    daemon.stdout.on('data', (chunk: Buffer) => {
      text += String(chunk);
    });
    await once(daemon.stdout, 'data');
    await delay(afterMs);
    daemon.kill('SIGKILL');
    await once(daemon, 'close');
    const announced: Announced[] = [];
    const pids = new Map<string, number>();
    for (const line of text.split('\n').slice(0, -1)) {
      const message = JSON.parse(line) as Announced & { started?: string; pid?: number };
      if (message.started !== undefined) pids.set(message.started, message.pid ?? 0);
      else announced.push(message);
    }
    return { announced, pids };
  };

  /** Numbers in the log, which must count from 1 without a gap or a double. */
  const loggedNumbers = (spec: TaskSpec): number => {
    const lines = readFileSync(spec.log.path ?? '', 'utf8')
      .split('\n')
      .slice(0, -1);
    lines.forEach((line, index) => {
      assert.equal((JSON.parse(line) as { log: string }).log, `${index + 1}\n`);
    });
    return lines.length;
  };

  const check = async ({ index, spec }: Announced, pid: number | undefined): Promise<string> => {
    const found = await machine.runtime.recover(ctx, spec);
    if (found.state === 'gone') {
      assert.equal(pid, undefined, `container ${index} ran and is gone`);
    } else if (found.state === 'exited') {
      assert.equal(index % 2, 1, `container ${index} has ended`);
      assert.equal(found.exit.exitCode, index);
      assert.equal(loggedNumbers(spec), 20_000);
    } else {
      const { task } = found;
      if (pid !== undefined) assert.equal(task.pid, pid);
      if (index % 2 === 1) {
        assert.equal((await task.exit).exitCode, index);
        assert.equal(loggedNumbers(spec), 20_000);
      } else {
        // It still talks, to new clients too.
        const attachment = await task.attach({ stdin: false, stdout: true, stderr: true });
        assert.match(String(await readSome(attachment.stdout)), /\d/);
        attachment.detach();
        await task.signal(9);
        assert.equal((await task.exit).exitCode, 137);
        assert.ok(loggedNumbers(spec) > 0);
      }
      task.release();
    }
    await machine.runtime.cleanup(ctx, spec);
    assert.equal(existsSync(spec.bundle), false);
    return found.state;
  };

  for (const runtimeName of ['crun', 'runc']) {
    it(`at random points (${runtimeName})`, async () => {
      const states: string[] = [];
      for (let round = 0; round < 12; round += 1) {
        const { announced, pids } = await crash(runtimeName, Math.random() ** 2 * 250);
        assert.ok(announced.length > 0);
        for (const one of announced) states.push(await check(one, pids.get(one.spec.containerId)));
        assert.deepEqual(await machine.runtime.list(), []);
      }
      // The points were random enough to meet both.
      assert.ok(states.includes('running') && states.includes('exited'), states.join(' '));
    });
  }
});
