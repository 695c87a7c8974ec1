/** Clients from npm, each installed once into `.cache`: for tests, no dependencies of the engine. */

import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { madeOnce } from '../helpers/made-once.ts';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../.cache');

/** The folder whose `node_modules` has it. */
async function installClient(name: string, version: string): Promise<string> {
  const folder = join(cache, `${name}-${version}`);
  return await madeOnce(folder, async () => {
    const temporary = `${folder}.tmp`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    writeFileSync(join(temporary, 'package.json'), '{"private":true}\n');
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', [...args, `${name}@${version}`], { cwd: temporary });
    renameSync(temporary, folder);
  });
}

export const installDockerode = (): Promise<string> => installClient('dockerode', '4.0.9');
export const installTestcontainers = (): Promise<string> => installClient('testcontainers', '12.0.4');
