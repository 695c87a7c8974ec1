/**
 * Docker's plugin protocol: JSON by POST, over a unix socket, TCP or TLS; a failure is an `Err` in the answer, or an
 * `Error` where addresses are asked for.
 */

import { readFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { internal, unavailable } from '../../core/errors.ts';

const contentType = 'application/vnd.docker.plugins.v1.2+json';
const timeoutMs = 15_000;
const maxAnswerBytes = 1024 * 1024;

/** Paths of PEM files; empty where the plugin's file names none. */
export interface PluginTls {
  /** Who may have signed the plugin's certificate; the system's authorities where empty. */
  readonly caFile: string;
  /** What we show the plugin. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly insecureSkipVerify: boolean;
}

/** Where a plugin listens. */
export type PluginAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly tls?: PluginTls };

/** Read for each call: certificates are renewed under a running engine. */
function pem(path: string): Buffer | undefined {
  if (path === '') return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function send(
  address: PluginAddress,
  options: RequestOptions,
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  if (!('tls' in address)) return request({ ...options, ...address }, answered);
  const { host, port, tls } = address;
  return requestOverTls(
    {
      ...options,
      host,
      port,
      ca: pem(tls.caFile),
      cert: pem(tls.certFile),
      key: pem(tls.keyFile),
      rejectUnauthorized: !tls.insecureSkipVerify,
      // A connection that is kept would outlive the certificates that it was made with.
      agent: false,
    },
    answered,
  );
}

function post(
  address: PluginAddress,
  method: string,
  body: string,
): Promise<{ status: number; text: string }> {
  const options: RequestOptions = {
    method: 'POST',
    path: `/${method}`,
    headers: { accept: contentType, 'content-type': contentType, 'content-length': Buffer.byteLength(body) },
    timeout: timeoutMs,
  };
  return new Promise((resolve, reject) => {
    const sent = send(address, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > maxAnswerBytes) sent.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `unavailable` where nobody answers, `internal` with the plugin's own words where it refuses. */
export async function callPlugin(
  name: string,
  address: PluginAddress,
  method: string,
  body?: object,
): Promise<Readonly<Record<string, unknown>>> {
  let answer: { status: number; text: string };
  try {
    answer = await post(address, method, body === undefined ? '' : JSON.stringify(body));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw unavailable(`plugin ${name} does not answer ${method}: ${reason}`, error);
  }
  const parsed = parse(answer.text);
  const { Err: refusal, Error: noAddress } = parsed ?? {};
  if (typeof refusal === 'string' && refusal !== '') throw internal(`${method}: ${refusal}`);
  if (typeof noAddress === 'string' && noAddress !== '') throw internal(`remote: ${noAddress}`);
  if (answer.status !== 200 || parsed === undefined)
    throw internal(
      `plugin ${name} answered ${method} with status ${answer.status}: ${answer.text.slice(0, 200)}`,
    );
  return parsed;
}
