/** Major and minor of a device number as stat(2) gives it (the C library's 64-bit layout). */
export function deviceNumbers(rdev: number): { readonly major: number; readonly minor: number } {
  // Beyond 32 bits JavaScript's bit operators would cut it off.
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}
