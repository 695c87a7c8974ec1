/** `HEALTHCHECK [--interval=... ...] CMD ...` and `HEALTHCHECK NONE`. Pure. */

import { invalid } from '../../core/errors.ts';
import { parseGoDuration } from '../../core/go-duration.ts';
import type { HealthConfig } from '../../core/model/container-spec.ts';
import { jsonList } from './change-words.ts';

const durations: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};
const nanosPerMilli = 1_000_000n;

function durationOf(flag: string, text: string): number {
  const nanos = parseGoDuration(text);
  if (nanos === undefined) throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
  if (nanos !== 0n && nanos < nanosPerMilli) throw invalid(`Interval "${flag}" cannot be less than 1ms`);
  return Number(nanos);
}

function retriesOf(text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text))
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const retries = Number(text);
  if (retries < 0) throw invalid('--retries cannot be negative');
  return retries;
}

function settingOf(flag: string, value: string | undefined): HealthConfig {
  const key = Object.hasOwn(durations, flag) ? durations[flag] : undefined;
  if (key === undefined && flag !== 'retries') throw invalid(`Unknown flag: ${flag}`);
  if (value === undefined) throw invalid(`Missing a value on flag: ${flag}`);
  if (value === '') return {};
  return key === undefined ? { Retries: retriesOf(value) } : { [key]: durationOf(flag, value) };
}

/** What the text behind HEALTHCHECK says. */
export function healthcheckOf(text: string): HealthConfig {
  let settings: HealthConfig = {};
  let rest = text;
  for (;;) {
    const flag = /^--([^\s=]+)(?:=(\S*))?\s*/.exec(rest);
    if (flag === null) break;
    settings = { ...settings, ...settingOf(flag[1] ?? '', flag[2]) };
    rest = rest.slice(flag[0].length);
  }
  const kind = /^\S*/.exec(rest)?.[0].toUpperCase() ?? '';
  const line = rest.slice(kind.length).trim();
  if (kind === 'NONE') {
    if (line !== '') throw invalid('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  if (kind !== 'CMD') throw invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (line === '') throw invalid('Missing command after HEALTHCHECK CMD');
  const list = jsonList(line);
  return { Test: list === undefined ? ['CMD-SHELL', line] : ['CMD', ...list], ...settings };
}
