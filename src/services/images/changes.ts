/** `--change` of import and commit: a few Dockerfile instructions applied to a config. Pure. */

import { invalid } from '../../core/errors.ts';
import type { ContainerConfig, EmptyObject } from '../../core/model/container-spec.ts';
import { expand, jsonList, rawWords, type Lookup } from './change-words.ts';
import { healthcheckOf } from './health-change.ts';

type Mutable = { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] };

/** A config that instructions are being applied to. */
interface State {
  readonly config: Mutable;
  /** A CMD was among them: an ENTRYPOINT leaves it alone. */
  commandSet: boolean;
}
type Apply = (state: State, rest: string) => void;

const defaultShell = ['/bin/sh', '-c'];
const commandLine = ({ config }: State, rest: string): string[] => {
  if (rest === '') return [];
  return jsonList(rest) ?? [...(config.Shell ?? defaultShell), rest];
};

/** Variables of an instruction are those of the config's environment so far. */
function variablesOf(config: ContainerConfig): Lookup {
  const values = new Map<string, string>();
  for (const entry of config.Env ?? []) {
    const equals = entry.indexOf('=');
    if (equals > 0) values.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return (name) => values.get(name);
}

/** `KEY=VALUE ...`, or the old `KEY VALUE`. */
function pairs(instruction: string, rest: string, lookup: Lookup): [string, string][] {
  const words = rawWords(rest);
  const pair = (name: string, value: string): [string, string] => {
    const key = expand(name, lookup);
    if (key === '') throw invalid(`${instruction} names can not be blank`);
    return [key, expand(value, lookup)];
  };
  if (words[0]?.includes('=') !== true) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (match === null) throw invalid(`${instruction} must have two arguments`);
    return [pair(match[1] ?? '', match[2] ?? '')];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    return pair(word.slice(0, equals), word.slice(equals + 1));
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

const maxPort = 65_535;

/** `80`, `80/udp`, `8000-8010/tcp`: each port of a range for itself, as Docker writes them. */
function exposedPorts(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > last || last > maxPort) throw invalid(`invalid containerPort: ${word}`);
  const protocol = (match[3] ?? 'tcp').toLowerCase();
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function expose(state: State, rest: string): void {
  const lookup = variablesOf(state.config);
  // A variable may hold several ports.
  const words = rawWords(rest).flatMap((word) => rawWords(expand(word, lookup)));
  state.config.ExposedPorts = withKeys(state.config.ExposedPorts, words.flatMap(exposedPorts));
}

function volume({ config }: State, rest: string): void {
  const lookup = variablesOf(config);
  const paths = (jsonList(rest) ?? rawWords(rest)).map((word) => expand(word, lookup).trim());
  if (paths.length === 0) throw invalid('VOLUME requires at least one argument');
  if (paths.includes('')) throw invalid('VOLUME specified can not be an empty string');
  config.Volumes = withKeys(config.Volumes, paths);
}

function workdir({ config }: State, rest: string): void {
  const path = expand(rest, variablesOf(config));
  const full = path.startsWith('/') ? path : `${config.WorkingDir ?? ''}/${path}`;
  config.WorkingDir = `/${full}`.replace(/\/+/g, '/');
}

function entrypoint(state: State, rest: string): void {
  state.config.Entrypoint = commandLine(state, rest);
  // The command was that of the entrypoint before.
  if (!state.commandSet) state.config.Cmd = null;
}

function command(state: State, rest: string): void {
  state.config.Cmd = commandLine(state, rest);
  state.commandSet = true;
}

function onbuild({ config }: State, rest: string): void {
  const trigger = /^\S+/.exec(rest)?.[0].toUpperCase() ?? '';
  if (trigger === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'MAINTAINER' || trigger === 'FROM')
    throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
  config.OnBuild = [...(config.OnBuild ?? []), rest];
}

const one =
  (key: 'User' | 'StopSignal'): Apply =>
  ({ config }, rest) =>
    void (config[key] = expand(rest, variablesOf(config)));

const instructions: Readonly<Record<string, Apply>> = {
  CMD: command,
  ENTRYPOINT: entrypoint,
  ENV: ({ config }, rest) => {
    for (const [key, value] of pairs('ENV', rest, variablesOf(config)))
      config.Env = setEnv(config.Env ?? [], key, value);
  },
  EXPOSE: expose,
  LABEL: ({ config }, rest) =>
    void (config.Labels = Object.fromEntries([
      ...Object.entries(config.Labels ?? {}),
      ...pairs('LABEL', rest, variablesOf(config)),
    ])),
  ONBUILD: onbuild,
  USER: one('User'),
  VOLUME: volume,
  WORKDIR: workdir,
  STOPSIGNAL: one('StopSignal'),
  HEALTHCHECK: ({ config }, rest) => void (config.Healthcheck = healthcheckOf(rest)),
};

/** What may stand alone: an empty command is none. */
const mayBeEmpty = new Set(['CMD', 'ENTRYPOINT']);
const exactlyOne = new Set(['WORKDIR', 'USER', 'STOPSIGNAL']);

/** Lines without comments and empty ones; a backslash at the end joins the next. */
function linesOf(changes: readonly string[]): string[] {
  return changes
    .join('\n')
    .replace(/^[ \t]*#.*$/gm, '')
    .replace(/\\[ \t]*\n/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
}

/** A new config with the instructions applied in order. `invalid` in Docker's words for what is no such instruction. */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const state: State = { config: { ...config }, commandSet: false };
  const lines = linesOf(changes);
  if (changes.length > 0 && lines.length === 0) throw invalid('file with no instructions');
  for (const line of lines) {
    const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
    const key = name.toUpperCase();
    const apply = Object.hasOwn(instructions, key) ? instructions[key] : undefined;
    if (apply === undefined) throw invalid(`${name} is not a valid change command`);
    if (rest === '' && !mayBeEmpty.has(key))
      throw invalid(`${key} requires ${exactlyOne.has(key) ? 'exactly' : 'at least'} one argument`);
    apply(state, rest);
  }
  return state.config;
}
