/**
 * Sends the same requests to a dockerd and to our engine and prints where status, message or shape of the answers differ.
 * Both must hold an image `busybox`. Run: `node tests/api/compare-dockerd.ts DOCKERD_SOCKET OUR_SOCKET [VERSION]`.
 */

import { request as httpRequest } from 'node:http';
import { badRequests, fixture, fixtureEnd, goodRequests, type CompareRequest } from './compare/requests.ts';
import { shapeDifference } from './compare/shape.ts';

interface Answer {
  readonly status: number;
  readonly value: unknown;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

function send(socketPath: string, version: string, wanted: CompareRequest): Promise<Answer> {
  const prefix = /^\/(v\d|nope)/.test(wanted.path) ? '' : `/v${version}`;
  return new Promise((resolve, reject) => {
    const headers = wanted.contentType === undefined ? {} : { 'Content-Type': wanted.contentType };
    const options = { socketPath, method: wanted.method, path: prefix + wanted.path, headers, agent: false };
    const client = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, value: parse(text) }));
      response.on('error', reject);
    });
    client.setTimeout(10_000, () => client.destroy(new Error('no answer within 10 s')));
    client.on('error', reject);
    client.end(wanted.body);
  });
}

function describe(wanted: CompareRequest): string {
  return `${wanted.method} ${wanted.path}${wanted.body === undefined ? '' : ` ${wanted.body}`}`;
}

async function attempt(socket: string, version: string, wanted: CompareRequest): Promise<Answer> {
  return await send(socket, version, wanted).catch((error: Error) => ({ status: 0, value: error.message }));
}

async function main(reference: string, ours: string, version: string): Promise<void> {
  let differences = 0;
  const compare = async (wanted: CompareRequest, byShape: boolean): Promise<void> => {
    const [left, right] = await Promise.all([
      attempt(reference, version, wanted),
      attempt(ours, version, wanted),
    ]);
    const lines: string[] = [];
    if (left.status !== right.status) lines.push(`status ${left.status} | ${right.status}`);
    if (byShape) lines.push(...shapeDifference(left.value, right.value));
    else if (JSON.stringify(left.value) !== JSON.stringify(right.value)) {
      lines.push(`dockerd: ${JSON.stringify(left.value)}`, `slipway: ${JSON.stringify(right.value)}`);
    }
    if (lines.length === 0) return;
    differences++;
    console.log(describe(wanted));
    for (const line of lines) console.log(`    ${line}`);
  };
  for (const wanted of badRequests) await compare(wanted, false);
  for (const wanted of fixture) await compare(wanted, true);
  for (const wanted of goodRequests) await compare(wanted, true);
  for (const wanted of fixtureEnd) await compare(wanted, true);
  console.log(`${differences} differences`);
}

const [reference, ours, version = '1.41'] = process.argv.slice(2);
if (reference === undefined || ours === undefined) {
  console.error('usage: node tests/api/compare-dockerd.ts DOCKERD_SOCKET OUR_SOCKET [VERSION]');
  process.exitCode = 2;
} else await main(reference, ours, version);
