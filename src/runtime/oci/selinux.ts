/** SELinux labels that a container names itself (`--security-opt label=type:x`), on hosts that have SELinux. Pure. */

import { invalid } from '../../core/errors.ts';

const parts = ['user', 'role', 'type', 'level'] as const;
type Part = (typeof parts)[number];

/** What `label=` options say. */
export interface LabelOptions {
  readonly disable: boolean;
  readonly given: Readonly<Partial<Record<Part, string>>>;
}

/** Refuses what is no label option, in Docker's words. `filetype` and `nested` concern files and nested containers. */
export function parseLabels(values: readonly string[]): LabelOptions {
  let disable = false;
  const given: Partial<Record<Part, string>> = {};
  for (const value of values) {
    if (value === 'disable') {
      disable = true;
      continue;
    }
    if (value === 'nested') continue;
    const [name = '', ...rest] = value.split(':');
    const part = parts.find((known) => known === name);
    if (rest.length === 0 || (part === undefined && name !== 'filetype')) {
      throw invalid(
        `bad label option ${JSON.stringify(value)}, valid options 'disable', 'nested' or \n'user, role, level, type, filetype' followed by ':' and a value`,
      );
    }
    if (part !== undefined) given[part] = rest.join(':');
  }
  return { disable, given };
}

/** The label of processes; undefined where the container named none. */
export function processLabel(options: LabelOptions): string | undefined {
  const { user, role, type, level } = options.given;
  if (options.disable || Object.keys(options.given).length === 0) return undefined;
  return [user ?? 'system_u', role ?? 'system_r', type ?? 'container_t', level ?? 's0'].join(':');
}
