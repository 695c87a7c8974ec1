/** What the transfer thread is asked for, and what it says. A call is one request with its answer. */

import type { IncomingHttpHeaders } from 'node:http';
import type { Fault } from '../../core/fault.ts';
import type { Place } from '../answer.ts';
import type { FilePart, HandedOn, HttpOptions, HttpRequest } from '../http.ts';

/** `HttpRequest` as plain data. */
export interface PlainRequest {
  readonly method: HttpRequest['method'];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A body that is handed on ends the call that it belongs to. */
  readonly body: Uint8Array | Omit<FilePart, 'onSent'> | Omit<HandedOn, 'onSent'> | undefined;
  /** Buffers arrive as plain arrays. */
  readonly tls: {
    readonly verify: boolean;
    readonly ca?: readonly Uint8Array[];
    readonly cert?: Uint8Array;
    readonly key?: Uint8Array;
  };
}

export interface ThreadData {
  readonly http: HttpOptions;
}

export type ToThread =
  | { readonly call: number; readonly op: 'send'; readonly request: PlainRequest }
  /** One of these three ends a call, once its head has come. */
  | { readonly call: number; readonly op: 'save'; readonly place: Place }
  | { readonly call: number; readonly op: 'read'; readonly limit: number }
  | { readonly call: number; readonly op: 'resume' }
  | { readonly call: number; readonly op: 'cancel' };

export type FromThread =
  | {
      readonly call: number;
      readonly op: 'head';
      readonly statusCode: number;
      readonly statusMessage: string;
      readonly headers: IncomingHttpHeaders;
    }
  /** Bytes that are in the file now. */
  | { readonly call: number; readonly op: 'written'; readonly at: number; readonly bytes: number }
  /** Bytes of the request's body that have gone. */
  | { readonly call: number; readonly op: 'sent'; readonly bytes: number }
  | { readonly call: number; readonly op: 'done'; readonly body?: Uint8Array }
  | { readonly call: number; readonly op: 'failed'; readonly fault: Fault };
