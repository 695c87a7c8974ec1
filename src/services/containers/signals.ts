import { constants } from 'node:os';
import { invalid } from '../../core/errors.ts';

const byName = new Map(Object.entries(constants.signals).map(([name, number]) => [name.slice(3), number]));
const rtMin = 34;
const rtMax = 64;

/** `RTMIN+3`, `RTMAX-1`: real-time signals as shells write them. */
function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const base = match[1] === 'MIN' ? rtMin : rtMax;
  const offset = Number(match[3] ?? 0) * (match[2] === '-' ? -1 : 1);
  const number = base + offset;
  return number >= rtMin && number <= rtMax ? number : undefined;
}

/** Number of a signal given as `SIGTERM`, `term` or `15`; `invalid` in Docker's words. */
export function parseSignal(text: string): number {
  if (/^-?\d+$/.test(text)) {
    const number = Number(text);
    if (number > 0 && number <= rtMax) return number;
    if (number === 0) throw invalid(`invalid signal: ${text}`);
    throw invalid(`the linux daemon does not support signal ${text}`);
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = byName.get(name) ?? realTime(name);
  if (number === undefined) throw invalid(`invalid signal: ${text}`);
  return number;
}

export const sigkill = 9;
export const sigterm = 15;
