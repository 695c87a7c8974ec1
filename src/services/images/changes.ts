/** `--change` of import and commit: a few Dockerfile instructions applied to a config. Pure. */

import { invalid } from '../../core/errors.ts';
import type { ContainerConfig, EmptyObject } from '../../core/model/container-spec.ts';

type Mutable = { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] };
type Apply = (config: Mutable, rest: string) => void;

/** `["a", "b"]`, or undefined when it is not that (then it is a shell line). */
function jsonList(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  try {
    const value = JSON.parse(rest) as unknown;
    const isList = Array.isArray(value) && value.every((each) => typeof each === 'string');
    return isList ? value : undefined;
  } catch {
    return undefined;
  }
}

const defaultShell = ['/bin/sh', '-c'];
const command = (config: Mutable, rest: string): string[] =>
  jsonList(rest) ?? [...(config.Shell ?? defaultShell), rest];

/** Words split at blanks; quotes hold blanks together and are dropped; a backslash takes the next character as it is. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\\' && quote !== "'" && i + 1 < text.length) word = (word ?? '') + (text[++i] ?? '');
    else if (quote !== '') {
      if (char === quote) quote = '';
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** `KEY=VALUE ...`, or the old `KEY VALUE`. */
function pairs(instruction: string, rest: string): [string, string][] {
  const first = splitWords(rest)[0] ?? '';
  if (!first.includes('=')) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (match === null) throw invalid(`${instruction} must have two arguments`);
    return [[match[1] ?? '', splitWords(match[2] ?? '').join(' ')]];
  }
  return splitWords(rest).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Sets `KEY=VALUE` in a list, in place of an older one. */
export function setEnv(env: readonly string[], key: string, value: string): string[] {
  const index = env.findIndex((entry) => entry.startsWith(`${key}=`) || entry === key);
  const next = [...env];
  if (index < 0) next.push(`${key}=${value}`);
  else next[index] = `${key}=${value}`;
  return next;
}

const withKeys = (
  old: Readonly<Record<string, EmptyObject>> | null | undefined,
  keys: readonly string[],
): Record<string, EmptyObject> =>
  Object.fromEntries([...Object.entries(old ?? {}), ...keys.map((key) => [key, {}])]);

function exposedPort(word: string): string {
  const match = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(word);
  if (match === null) throw invalid(`invalid containerPort: ${word}`);
  return `${match[1] ?? ''}/${(match[2] ?? 'tcp').toLowerCase()}`;
}

function healthcheck(config: Mutable, rest: string): void {
  if (rest.toUpperCase() === 'NONE') {
    config.Healthcheck = { Test: ['NONE'] };
    return;
  }
  const match = /^CMD\s+(.+)$/is.exec(rest);
  if (match === null)
    throw invalid(`Unknown type ${JSON.stringify(rest.split(/\s/)[0])} in HEALTHCHECK (try CMD)`);
  const line = match[1] ?? '';
  const list = jsonList(line);
  config.Healthcheck = { Test: list === undefined ? ['CMD-SHELL', line] : ['CMD', ...list] };
}

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => void (config.Cmd = command(config, rest)),
  ENTRYPOINT: (config, rest) => void (config.Entrypoint = command(config, rest)),
  ENV: (config, rest) => {
    for (const [key, value] of pairs('ENV', rest)) config.Env = setEnv(config.Env ?? [], key, value);
  },
  EXPOSE: (config, rest) =>
    void (config.ExposedPorts = withKeys(config.ExposedPorts, splitWords(rest).map(exposedPort))),
  LABEL: (config, rest) =>
    void (config.Labels = Object.fromEntries([
      ...Object.entries(config.Labels ?? {}),
      ...pairs('LABEL', rest),
    ])),
  ONBUILD: (config, rest) => void (config.OnBuild = [...(config.OnBuild ?? []), rest]),
  USER: (config, rest) => void (config.User = rest),
  VOLUME: (config, rest) =>
    void (config.Volumes = withKeys(config.Volumes, jsonList(rest) ?? splitWords(rest))),
  WORKDIR: (config, rest) =>
    void (config.WorkingDir = rest.startsWith('/')
      ? rest
      : `${config.WorkingDir ?? ''}/${rest}`.replace(/\/+/g, '/')),
  STOPSIGNAL: (config, rest) => void (config.StopSignal = rest),
  HEALTHCHECK: healthcheck,
};

/** A new config with the instructions applied in order. `invalid` in Docker's words for what is no such instruction. */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const next: Mutable = { ...config };
  for (const change of changes) {
    for (const line of change.split('\n').filter((each) => each.trim() !== '')) {
      const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
      const key = name.toUpperCase();
      const apply = Object.hasOwn(instructions, key) ? instructions[key] : undefined;
      if (apply === undefined) throw invalid(`${name} is not a valid change command`);
      if (rest === '') throw invalid(`${key} requires at least one argument`);
      apply(next, rest);
    }
  }
  return next;
}
