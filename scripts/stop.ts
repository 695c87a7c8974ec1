/** `make stop`: ends the daemon; containers, their logs and their published ports go on. */

import { pings, stopDaemon } from './engine/daemon.ts';
import { readSettings } from './engine/settings.ts';

const settings = readSettings();
if (await stopDaemon(settings)) {
  process.stdout.write('slipwayd is stopped; containers go on. `make run` starts it again.\n');
} else if (await pings(settings.socket)) {
  process.stderr.write(
    `A daemon answers on ${settings.socket}, but \`make run\` did not start it: stop it there.\n`,
  );
  process.exitCode = 1;
} else {
  process.stdout.write('slipwayd was not running.\n');
}
