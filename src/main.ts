/** `slipwayd`: flags, lock, signals. Everything else is built by `daemon.ts`. */

// oxlint-disable-next-line import/no-unassigned-import -- it must run before the other modules do
import './daemon/compile-lazily.ts';
import { mkdirSync } from 'node:fs';
import { startDaemon, type Daemon } from './daemon.ts';
import { lockDataRoot, writePidFile } from './daemon/lock.ts';
import { systemdNotifier } from './daemon/notify.ts';
import { helpText, parseCommand, type DaemonOptions } from './daemon/options.ts';
import { productVersion } from './daemon/version.ts';
import { keepFilePagesFew } from './host/index.ts';
import { toSlipwayError } from './core/errors.ts';
import { createLogger, type Logger } from './core/log.ts';

/** When the start is over, and how much of programs and libraries a working daemon may keep resident. */
const settledMs = 3000;
const mostFileKb = 32_768;

function endOn(signals: readonly NodeJS.Signals[], log: Logger, daemon: Daemon, cleanUp: () => void): void {
  let ending = false;
  for (const signal of signals) {
    process.on(signal, () => {
      if (ending) process.exit(1);
      ending = true;
      log.info('ending; containers go on', { signal });
      void daemon
        .close()
        .catch((error: unknown) => log.error('end is not clean', { error }))
        .finally(() => {
          cleanUp();
          process.exit(0);
        });
    });
  }
}

async function run(options: DaemonOptions): Promise<void> {
  const log = createLogger(options.logLevel, (line) => process.stderr.write(line));
  process.umask(0o022);
  mkdirSync(options.dataRoot, { recursive: true, mode: 0o711 });
  const notifyReady = systemdNotifier((error) => log.warn('systemd is not told', { error }));
  const lock = await lockDataRoot(options.dataRoot);
  const removePidFile = options.pidFile === undefined ? undefined : writePidFile(options.pidFile);
  // One forgotten rejection must not take the engine down; it is a defect all the same and shows in the log.
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  const daemon = await startDaemon(options, log);
  endOn(['SIGTERM', 'SIGINT'], log, daemon, () => {
    removePidFile?.();
    lock.release();
  });
  // A terminal that closes must not end the engine.
  process.on('SIGHUP', () => {});
  keepFilePagesFew(settledMs, mostFileKb);
  notifyReady();
  log.info('slipwayd is ready', { addresses: daemon.addresses.join(' '), version: productVersion });
}

try {
  const command = parseCommand(process.argv.slice(2));
  if (command.run === 'help') process.stdout.write(helpText);
  else if (command.run === 'version') process.stdout.write(`slipwayd version ${productVersion}\n`);
  else await run(command.options);
} catch (error) {
  process.stderr.write(`slipwayd: ${toSlipwayError(error).message}\n`);
  process.exit(1);
}
