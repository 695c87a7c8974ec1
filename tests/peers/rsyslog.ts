/** Debian's rsyslogd with its libraries, unpacked and never installed. */

import { unpackPackages } from '../helpers/images/debian.ts';

/** Unpacks it into `.cache/rsyslog` once; returns that folder. */
export const unpackRsyslog = (): Promise<string> =>
  unpackPackages('rsyslog', ['rsyslog', 'libestr0', 'libfastjson4', 'liblognorm5']);
