/** What the record store and its worker thread say to each other. */

import type { DamagedRecord } from '../../core/ports/record-store.ts';
import type { StoredChange } from './database.ts';

export type Request =
  | { readonly call: number; readonly op: 'commit'; readonly changes: readonly StoredChange[] }
  | { readonly call: number; readonly op: 'list'; readonly kind: string }
  | { readonly call: number; readonly op: 'damaged' }
  | { readonly call: number; readonly op: 'close' };

export type Answer =
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly call: number; readonly error: string }
  | { readonly call: number; readonly rows?: readonly string[]; readonly damaged?: readonly DamagedRecord[] };
