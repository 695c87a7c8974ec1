import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../core/log.ts';
import { defaultProfile, defaultProfileName, hasAppArmor } from '../runtime/index.ts';
import { findProgram } from './runtimes.ts';
import { runProgram } from './run-program.ts';

/** Loads the engine's profile where AppArmor decides; whether it is in force. A host that refuses is told about in the log. */
export async function loadAppArmorProfile(log: Logger, runRoot: string): Promise<boolean> {
  if (!hasAppArmor()) return false;
  const parser = findProgram('apparmor_parser');
  if (parser === undefined) {
    log.warn('AppArmor is on, and apparmor_parser is not installed: containers run without a profile');
    return false;
  }
  const file = join(runRoot, 'apparmor-profile');
  writeFileSync(file, defaultProfile, { mode: 0o600 });
  const { status, stderr } = await runProgram(parser, ['-Kr', file]);
  if (status === 0) return true;
  log.warn('the AppArmor profile was not loaded: containers run without it', {
    profile: defaultProfileName,
    error: stderr.trim(),
  });
  return false;
}
