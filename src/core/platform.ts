/** Platforms as users write them (`linux/arm64/v8`), and which image runs on which: by the rules of containerd's parser. */

import { invalid } from './errors.ts';
import type { Platform } from './model/image.ts';

const systems: ReadonlySet<string> = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const architectures: ReadonlySet<string> = new Set(
  '386 amd64 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
);

/** Names of architectures as users write them. */
const aliases: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  i386: ['386'],
};

function architectureOf(
  name: string,
  variant: string | undefined,
): Pick<Platform, 'architecture' | 'variant'> {
  const [architecture, usual] = aliases[name] ?? [name];
  const given = variant ?? usual;
  const isNumber = architecture.startsWith('arm') && /^\d$/.test(given ?? '');
  const own = isNumber ? `v${given}` : given;
  return { architecture, ...(own !== undefined && own !== '' && { variant: own }) };
}

function checkParts(parts: readonly string[], text: string): void {
  const quoted = JSON.stringify(text);
  if (text.includes('*')) throw invalid(`${quoted}: wildcards not yet supported: invalid argument`);
  const bad = parts.find((part) => !/^[A-Za-z0-9_.-]+$/.test(part));
  if (bad !== undefined)
    throw invalid(
      `${JSON.stringify(bad)} is an invalid component of ${quoted}: platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
    );
  if (parts.length > 3) throw invalid(`${quoted}: cannot parse platform specifier: invalid argument`);
}

/**
 * `linux/arm64/v8`, a system alone (then for the host's architecture), or an architecture alone or with its variant (then
 * for the host's system). `invalid` in containerd's words when it is none.
 */
export function parsePlatformText(text: string, host: Platform): Platform {
  const parts = text.split('/');
  checkParts(parts, text);
  const [first = '', second, variant] = parts.map((part) => part.toLowerCase());
  const system = first === 'macos' ? 'darwin' : first;
  if (second === undefined) {
    if (systems.has(system)) return { ...host, os: system };
    const own = architectureOf(first, undefined);
    if (architectures.has(own.architecture)) return { os: host.os, ...own };
    throw invalid(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`);
  }
  const isArchitecture =
    variant === undefined && architectures.has(architectureOf(first, undefined).architecture);
  if (isArchitecture) return { os: host.os, ...architectureOf(first, second) };
  return { os: system, ...architectureOf(second, variant) };
}

export const formatPlatform = (platform: Platform): string =>
  [platform.os, platform.architecture, ...(platform.variant === undefined ? [] : [platform.variant])].join(
    '/',
  );

/** What is meant where none is named. */
const usualVariants: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };
const variant = ({ architecture, variant: own = '' }: Platform): string =>
  own === '' ? (usualVariants[architecture] ?? '') : own;

/** How well an offered platform fits: higher is better, negative is not at all. */
export function platformFit(wanted: Platform, offered: Platform): number {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return -1;
  const [want, have] = [variant(wanted), variant(offered)];
  if (want === have) return 100;
  // An older ARM variant runs on a newer core; the nearest below is best.
  const [a, b] = [
    Number(/^v(\d+)$/.exec(want)?.[1] ?? Number.NaN),
    Number(/^v(\d+)$/.exec(have)?.[1] ?? Number.NaN),
  ];
  if (a > b) return 50 - (a - b);
  // Many configs say nothing of the variant that their index names: taken where nothing fits better, as by dockerd.
  return offered.variant === undefined ? 10 : -1;
}
