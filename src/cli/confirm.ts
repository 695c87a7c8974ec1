/** Asks before something is destroyed. */
import type { Io } from './io.ts';

async function readLine(io: Io): Promise<string> {
  let text = '';
  for await (const chunk of io.stdin.chunks()) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}

/** Shows the question and reads the answer; anything but `y` is no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  io.stdout.write(`${question} [y/N] `);
  const answer = (await readLine(io)).trim().toLowerCase();
  return answer === 'y';
}
