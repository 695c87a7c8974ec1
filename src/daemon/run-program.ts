import { spawn } from 'node:child_process';
import type { RunProgram } from '../runtime/index.ts';

const timeoutMs = 20_000;
const maxOutput = 64 * 1024;

/**
 * Runs a program until it exits. Not until its output ends: what `crun create` leaves behind holds the same pipes open.
 */
export const runProgram: RunProgram = (path, args) =>
  new Promise((resolve) => {
    const child = spawn(path, [...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (stdout.length < maxOutput) stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < maxOutput) stderr += chunk.toString('utf8');
    });
    const finish = (status: number): void => {
      // What the program wrote before its exit is in the pipes now. They are read in the next round of the event loop: the present one may have
      // looked at them before another child's end had this one's noticed.
      setImmediate(() =>
        setImmediate(() => {
          child.stdout.destroy();
          child.stderr.destroy();
          resolve({ status, stdout, stderr });
        }),
      );
    };
    child.once('error', (error) => {
      stderr += error.message;
      finish(127);
    });
    child.once('exit', (status) => finish(status ?? 128));
  });
