/** The types of an image config's fields: a document comes from anybody, and what reads it later relies on them. */

import { invalid } from '../../core/errors.ts';
import { parseNano } from '../../core/time.ts';

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;
type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isWhole: Check = (value) => Number.isInteger(value);
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
/** Old documents hold one word where there is a list now. */
const isWords: Check = (value) => isText(value) || isTexts(value);
const isSet: Check = isFields;
const isTextMap: Check = (value) => isFields(value) && Object.values(value).every(isText);
const isTime: Check = (value) => typeof value === 'string' && parseNano(value) !== undefined;

const healthcheck: Shape = {
  Test: isTexts,
  Interval: isWhole,
  Timeout: isWhole,
  StartPeriod: isWhole,
  StartInterval: isWhole,
  Retries: isWhole,
};
const containerConfig: Shape = {
  Hostname: isText,
  Domainname: isText,
  User: isText,
  Env: isTexts,
  Cmd: isWords,
  Entrypoint: isWords,
  Shell: isWords,
  OnBuild: isTexts,
  Labels: isTextMap,
  ExposedPorts: isSet,
  Volumes: isSet,
  WorkingDir: isText,
  StopSignal: isText,
  StopTimeout: isWhole,
  ArgsEscaped: isFlag,
  Healthcheck: (value) => isFields(value) && faultIn(value, healthcheck) === undefined,
};
const historyEntry: Shape = {
  created: isTime,
  created_by: isText,
  author: isText,
  comment: isText,
  empty_layer: isFlag,
};
const document: Shape = {
  created: isTime,
  author: isText,
  comment: isText,
  docker_version: isText,
  architecture: isText,
  os: isText,
  variant: isText,
  'os.version': isText,
  'os.features': isTexts,
  config: (value) => isFields(value),
  history: (value) =>
    Array.isArray(value) &&
    value.every((entry) => isFields(entry) && faultIn(entry, historyEntry) === undefined),
};

/** The first field that is not what it must be; null and absent fields are nothing. */
function faultIn(fields: Fields, shape: Shape): string | undefined {
  return Object.entries(shape).find(([name, check]) => fields[name] != null && !check(fields[name]))?.[0];
}

/** `invalid` when a field has a type that no image config can have. */
export function checkImageConfig(value: Fields): void {
  const bad = faultIn(value, document);
  if (bad !== undefined) throw invalid(`invalid image JSON: bad ${bad}`);
  const { config } = value;
  const inner = isFields(config) ? faultIn(config, containerConfig) : undefined;
  if (inner !== undefined) throw invalid(`invalid image JSON: bad ${inner}`);
}

/** The same with lists in place of single words. */
export function withLists(config: Fields): Fields {
  const lists = ['Cmd', 'Entrypoint', 'Shell'].filter((name) => typeof config[name] === 'string');
  return lists.length === 0
    ? config
    : { ...config, ...Object.fromEntries(lists.map((name) => [name, [config[name]]])) };
}
