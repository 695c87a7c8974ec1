/** Syslog messages in the forms of Docker's driver: RFC 3164 with and without the host's name, RFC 5424, and RFC 5425's framing. */
import type { ShippedLine } from '../ship/sink.ts';
import type { SyslogFormat } from './options.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const error = 3;
const info = 6;

export interface Origin {
  readonly format: SyslogFormat;
  readonly facility: number;
  readonly hostname: string;
  readonly tag: string;
  readonly processId: number;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `Jan _2 15:04:05` in local time, as RFC 3164 wants. */
function stamp(timeNano: bigint): string {
  const date = new Date(Number(timeNano / 1_000_000n));
  const day = String(date.getDate()).padStart(2, ' ');
  return `${months[date.getMonth()]} ${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** RFC 3339 with so many digits of a second. */
function isoTime(time: string, digits: number): string {
  const [whole = '', fraction = ''] = time.replace('Z', '').split('.');
  return digits === 0 ? `${whole}Z` : `${whole}.${fraction.padEnd(digits, '0').slice(0, digits)}Z`;
}

function header(line: ShippedLine, origin: Origin): string {
  const { format, hostname, tag, processId } = origin;
  const priority = `<${origin.facility * 8 + (line.stream === 'stderr' ? error : info)}>`;
  switch (format) {
    case '':
      return `${priority}${stamp(line.timeNano)} ${tag}[${processId}]: `;
    case 'rfc3164':
      return `${priority}${stamp(line.timeNano)} ${hostname} ${tag}[${processId}]: `;
    case 'rfc5424':
    case 'rfc5424micro': {
      const time = isoTime(line.time, format === 'rfc5424micro' ? 6 : 0);
      // The lengths are the RFC's.
      return `${priority}1 ${time} ${hostname} ${tag.slice(0, 48)} ${processId} ${tag.slice(0, 32)} - `;
    }
  }
}

const newline = Buffer.from('\n');

/** One message, without a frame. */
export function syslogMessage(line: ShippedLine, origin: Origin): Buffer {
  return Buffer.concat([Buffer.from(header(line, origin)), line.text, newline]);
}

/** Messages for a stream; `counted`: each behind its length (RFC 5425), else each ends with its newline. */
export function syslogStream(lines: readonly ShippedLine[], origin: Origin, counted: boolean): Buffer {
  const parts: Buffer[] = [];
  for (const line of lines) {
    const message = syslogMessage(line, origin);
    if (counted) parts.push(Buffer.from(`${message.length} `));
    parts.push(message);
  }
  return Buffer.concat(parts);
}
