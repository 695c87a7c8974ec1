/** A reporter for Node's test runner in the words of the guest's suite: a line a test, details after a failure. */

interface TestEvent {
  readonly type: string;
  readonly data: unknown;
}

interface TestData {
  readonly name?: string;
  readonly details?: { readonly type?: string; readonly error?: unknown };
}

function detailOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return text
    .split('\n')
    .slice(0, 20)
    .map((line) => `# ${line}\n`)
    .join('');
}

const repeatsOthers = (error: unknown): boolean =>
  error instanceof Error && 'failureType' in error && error.failureType === 'subtestsFailed';

export default async function* tapReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let count = 0;
  for await (const event of source) {
    const { name = '', details } = event.data as TestData;
    const isSuite = details?.type === 'suite';
    if (event.type === 'test:pass' && !isSuite) {
      count += 1;
      yield `ok ${count} - ${name}\n`;
    }
    if (event.type === 'test:fail' && !repeatsOthers(details?.error)) {
      count += 1;
      yield `not ok ${count} - ${name}\n${detailOf(details?.error)}`;
    }
  }
  yield `1..${count}\n`;
}
