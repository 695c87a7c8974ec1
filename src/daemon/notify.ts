import { spawn } from 'node:child_process';

/**
 * Tells systemd that the daemon answers (`Type=notify`), through systemd's own tool because Node has no datagram sockets of
 * the unix family. To be made first, called last: what the daemon starts meanwhile must not find the variable and notify
 * in its name. Does nothing where systemd did not start us.
 */
export function systemdNotifier(onFailure: (error: Error) => void): () => void {
  const socket = process.env['NOTIFY_SOCKET'];
  delete process.env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return () => {};
  return () => {
    const child = spawn('systemd-notify', ['--ready', `--pid=${process.pid}`], {
      stdio: 'ignore',
      env: { ...process.env, NOTIFY_SOCKET: socket },
    });
    child.on('error', onFailure);
    child.unref();
  };
}
