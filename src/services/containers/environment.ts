/** The environment of a container's processes. Pure. */

import type { ContainerRecord } from '../../core/model/container.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const keyOf = (variable: string): string => {
  const at = variable.indexOf('=');
  return at < 0 ? variable : variable.slice(0, at);
};

/** Later entries replace earlier ones of the same key; one without `=` takes the key away. */
export function overlayEnv(base: readonly string[], over: readonly string[]): readonly string[] {
  const merged = new Map(base.map((variable) => [keyOf(variable), variable]));
  for (const variable of over) {
    if (variable.includes('=')) merged.set(keyOf(variable), variable);
    else merged.delete(variable);
  }
  return [...merged.values()];
}

/** Engine's defaults, links, then what image and user set; HOME last, unless it is set. */
export function containerEnv(
  record: ContainerRecord,
  links: readonly string[],
  home: string,
  terminal = record.config.Tty === true,
): readonly string[] {
  const hostname = record.config.Hostname ?? '';
  const base = [
    defaultPath,
    ...(hostname === '' ? [] : [`HOSTNAME=${hostname}`]),
    ...(terminal ? ['TERM=xterm'] : []),
    ...links,
  ];
  const env = overlayEnv(base, record.config.Env ?? []);
  return env.some((variable) => variable.startsWith('HOME=')) ? env : [...env, `HOME=${home}`];
}
