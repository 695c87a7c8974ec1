/** Writes the busybox image as a docker archive: `make-busybox-image.ts FILE [NAME:TAG]`. */

import { makeBusyboxImage } from './images/busybox.ts';

const [target, name] = process.argv.slice(2);
if (target === undefined) {
  process.stderr.write('usage: make-busybox-image.ts FILE [NAME:TAG]\n');
  process.exit(1);
}
await makeBusyboxImage(target, name);
