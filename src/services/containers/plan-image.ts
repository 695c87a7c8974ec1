/** How an image's configuration and the user's become one, by Docker's rules. Pure. */

import { invalid } from '../../core/errors.ts';
import type { ContainerConfig, HealthConfig } from '../../core/model/container-spec.ts';

const keyOf = (variable: string): string => {
  const at = variable.indexOf('=');
  return at < 0 ? variable : variable.slice(0, at);
};

function mergeEnv(own: readonly string[], image: readonly string[]): readonly string[] {
  const keys = new Set(own.map(keyOf));
  return [...own, ...image.filter((variable) => !keys.has(keyOf(variable)))];
}

function mergeHealth(
  own: HealthConfig | null | undefined,
  image: HealthConfig | null | undefined,
): HealthConfig | undefined {
  if (own == null) return image ?? undefined;
  if (image == null) return own;
  const pick = <K extends keyof HealthConfig>(key: K): Pick<HealthConfig, K> | undefined => {
    const value = own[key] || image[key];
    return value === undefined ? undefined : ({ [key]: value } as Pick<HealthConfig, K>);
  };
  return {
    ...(own.Test !== undefined && own.Test.length > 0 ? { Test: own.Test } : pick('Test')),
    ...pick('Interval'),
    ...pick('Timeout'),
    ...pick('StartPeriod'),
    ...pick('StartInterval'),
    ...pick('Retries'),
  };
}

const isEmpty = (words: readonly string[] | null | undefined): boolean => (words?.length ?? 0) === 0;

/** A user's entrypoint silences the image's command; `[""]` silences the image's entrypoint and sets none. */
function mergeCommand(
  own: ContainerConfig,
  image: ContainerConfig,
): Pick<ContainerConfig, 'Cmd' | 'Entrypoint'> {
  if (!isEmpty(own.Entrypoint)) {
    const reset = own.Entrypoint?.length === 1 && own.Entrypoint[0] === '';
    return { Cmd: own.Cmd ?? null, Entrypoint: reset ? null : (own.Entrypoint ?? null) };
  }
  return {
    Cmd: isEmpty(own.Cmd) ? (image.Cmd ?? null) : (own.Cmd ?? null),
    Entrypoint: own.Entrypoint == null ? (image.Entrypoint ?? null) : null,
  };
}

/** The configuration that the container's record holds. */
export function mergeImageConfig(own: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const health = mergeHealth(own.Healthcheck, image.Healthcheck);
  const user = own.User || image.User;
  const workingDir = own.WorkingDir || image.WorkingDir;
  const stopSignal = own.StopSignal || image.StopSignal;
  const shell = isEmpty(own.Shell) ? image.Shell : own.Shell;
  return {
    ...own,
    ...mergeCommand(own, image),
    User: user ?? '',
    WorkingDir: workingDir ?? '',
    Env: mergeEnv(own.Env ?? [], image.Env ?? []),
    Labels: { ...image.Labels, ...own.Labels },
    ...(image.ExposedPorts == null && own.ExposedPorts == null
      ? {}
      : { ExposedPorts: { ...image.ExposedPorts, ...own.ExposedPorts } }),
    ...(image.Volumes == null && own.Volumes == null
      ? {}
      : { Volumes: { ...image.Volumes, ...own.Volumes } }),
    ...(health === undefined ? {} : { Healthcheck: health }),
    ...(stopSignal === undefined || stopSignal === '' ? {} : { StopSignal: stopSignal }),
    ...(shell == null ? {} : { Shell: shell }),
    ...(isEmpty(image.OnBuild) ? {} : { OnBuild: image.OnBuild ?? null }),
  };
}

/** Program and arguments; `invalid` when there is nothing to run. */
export function commandOf(config: ContainerConfig): {
  readonly path: string;
  readonly args: readonly string[];
} {
  const [path, ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (path === undefined) throw invalid('no command specified');
  return { path, args };
}
