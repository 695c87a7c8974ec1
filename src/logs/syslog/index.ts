/** Docker's syslog driver: to the host's own syslog, or to one at an address. */
import { hostname } from 'node:os';
import type { LoggedContainer } from '../../core/ports/log-driver.ts';
import type { OpenUnixDatagram } from '../../core/ports/unix-datagram.ts';
import type { LogOptions } from '../options/words.ts';
import { udpConnect, unixDatagramConnect } from '../ship/datagram-sink.ts';
import type { RemoteDriver } from '../ship/remote-driver.ts';
import type { Connect, ShippedLine } from '../ship/sink.ts';
import { streamConnect } from '../ship/stream-sink.ts';
import { tagOf } from '../tag.ts';
import { syslogMessage, syslogStream, type Origin } from './format.ts';
import { parseSyslog, syslogOptions } from './options.ts';

/** Where a host's syslog may listen. */
const localPaths = ['/dev/log', '/var/run/syslog', '/var/run/log'] as const;

function connectSyslog(
  openDatagram: OpenUnixDatagram,
  options: LogOptions,
  container: LoggedContainer,
): Connect {
  const { address, facility, format } = parseSyslog(options);
  const origin: Origin = {
    format,
    facility,
    hostname: hostname(),
    tag: tagOf(container, options),
    processId: process.pid,
  };
  const datagrams = (lines: readonly ShippedLine[]): Buffer[] =>
    lines.map((line) => syslogMessage(line, origin));
  const isCounted = address.protocol === 'tcp+tls' && format.startsWith('rfc5424');
  const stream = (lines: readonly ShippedLine[]): Buffer => syslogStream(lines, origin, isCounted);
  switch (address.protocol) {
    case 'local':
      return unixDatagramConnect(openDatagram, localPaths, datagrams);
    case 'unixgram':
      return unixDatagramConnect(openDatagram, [address.path], datagrams);
    case 'unix':
      return streamConnect({ kind: 'unix', path: address.path }, stream);
    case 'udp':
      return udpConnect(address.host, address.port, datagrams);
    case 'tcp':
      return streamConnect({ kind: 'tcp', host: address.host, port: address.port }, stream);
    case 'tcp+tls': {
      const tls = {
        caFile: options['syslog-tls-ca-cert'],
        certFile: options['syslog-tls-cert'],
        keyFile: options['syslog-tls-key'],
        // Docker takes any value for yes.
        skipVerify: options['syslog-tls-skip-verify'] !== undefined,
      };
      return streamConnect({ kind: 'tls', host: address.host, port: address.port, tls }, stream);
    }
  }
}

export function syslogDriver(openDatagram: OpenUnixDatagram): RemoteDriver {
  return {
    name: 'syslog',
    known: syslogOptions,
    check: (options) => void parseSyslog(options),
    connect: (options, container) => connectSyslog(openDatagram, options, container),
  };
}
