/** The machine's architecture in the words of OCI images. */
const NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  riscv64: 'riscv64',
  s390x: 's390x',
  ppc64: 'ppc64le',
};

export const architecture = (): string => NAMES[process.arch] ?? process.arch;
