/** Connections that do not come about, in the words that Go, and so Docker, uses for it. */

import { isIP } from 'node:net';
import { unavailable } from '../core/errors.ts';

interface DialError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
  /** Of a certificate for other names. */
  readonly cert?: { readonly subjectaltname?: string };
  readonly host?: string;
}

/** `DNS:a.test, IP Address:192.0.2.1`: the names of one kind. */
function namesOf(error: DialError, kind: 'DNS' | 'IP Address'): string[] {
  return (error.cert?.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith(`${kind}:`))
    .map((name) => name.slice(kind.length + 1));
}

function mismatch(error: DialError, host: string): string {
  if (isIP(host) !== 0) {
    const addresses = namesOf(error, 'IP Address');
    return addresses.length === 0
      ? `cannot validate certificate for ${host} because it doesn't contain any IP SANs`
      : `certificate is valid for ${addresses.join(', ')}, not ${host}`;
  }
  const names = namesOf(error, 'DNS');
  return names.length === 0
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `certificate is valid for ${names.join(', ')}, not ${host}`;
}

const unknownAuthority = 'certificate signed by unknown authority';

/** What is wrong with a server's certificate; undefined when it is something else. */
function certificateWords(error: DialError, host: string): string | undefined {
  switch (error.code) {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return unknownAuthority;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'certificate has expired or is not yet valid';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return mismatch(error, host);
    default:
      return undefined;
  }
}

/** Undefined when the connection was there and broke later. */
function dialWords(url: URL, error: DialError): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const certificate = certificateWords(error, host);
  if (certificate !== undefined) return `tls: failed to verify certificate: x509: ${certificate}`;
  const { code, address, port } = error;
  const shown =
    address === undefined ? url.host : isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  switch (code) {
    case 'ENOTFOUND':
      return `dial tcp: lookup ${host}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${host}: temporary failure in name resolution`;
    case 'ECONNREFUSED':
      return `dial tcp ${shown}: connect: connection refused`;
    case 'ENETUNREACH':
      return `dial tcp ${shown}: connect: network is unreachable`;
    case 'EHOSTUNREACH':
      return `dial tcp ${shown}: connect: no route to host`;
    case 'EPROTO':
      return error.message.includes('wrong version number')
        ? 'http: server gave HTTP response to HTTPS client'
        : undefined;
    default:
      return undefined;
  }
}

/** `Get "https://registry.test/v2/app/tags/list"`: how Go names a request. */
export const requestWords = (method: string, url: URL): string =>
  `${method.charAt(0)}${method.slice(1).toLowerCase()} "${url.origin}${url.pathname}"`;

/** Of several addresses the first one's error: what Go tells. */
const firstOf = (error: Error): DialError =>
  error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;

/** The error of a request whose connection failed or broke. */
export function describeBroken(method: string, url: URL, error: Error): Error {
  const first = firstOf(error);
  const dial = dialWords(url, first);
  if (dial === undefined) {
    const words = first.code === 'ECONNRESET' ? 'connection reset by peer' : first.message;
    return unavailable(`${requestWords(method, url)}: ${words}`, error);
  }
  // dockerd asks for the API's root before anything else, so that is what fails there.
  const root = new URL(url.pathname.replace(/\/v2\/.*$/, '/v2/'), url);
  const asked = root.pathname === url.pathname ? requestWords(method, url) : requestWords('GET', root);
  return unavailable(`${asked}: ${dial}`, error);
}
