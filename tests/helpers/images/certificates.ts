/** Certificate authorities of a test's own, made by openssl, and what they issue. */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Issued {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

const curve = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';

function openssl(folder: string, line: string): void {
  execFileSync('openssl', line.split(/\s+/), { cwd: folder, stdio: 'pipe' });
}

/** An authority that signs itself, for two days: `<name>.crt` and `<name>.key` in the folder. */
export function makeAuthority(folder: string, name: string): Issued {
  openssl(folder, `req -x509 ${curve} -days 2 -keyout ${name}.key -out ${name}.crt -subj /CN=${name}`);
  return { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}

/**
 * A certificate by an authority, for two days. `extensions`: lines of openssl's extension file,
 * `subjectAltName=DNS:registry.test,IP:198.18.0.1`.
 */
export function issue(
  folder: string,
  authority: Issued,
  name: string,
  extensions: readonly string[],
): Issued {
  writeFileSync(join(folder, `${name}.ext`), `${extensions.join('\n')}\n`);
  openssl(folder, `req ${curve} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
  openssl(
    folder,
    `x509 -req -in ${name}.csr -CA ${authority.certificate} -CAkey ${authority.key} -CAcreateserial
      -days 2 -extfile ${name}.ext -out ${name}.crt`,
  );
  return { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}
