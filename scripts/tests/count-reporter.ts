/**
 * A reporter for Node's test runner that writes what the runner of all suites needs: one JSON object at the end,
 * with the counts and each failure in short.
 */

interface TestEvent {
  readonly type: string;
  readonly data: unknown;
}

export interface TestFailure {
  readonly file: string;
  readonly name: string;
  readonly message: string;
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly TestFailure[];
}

interface TestData {
  readonly name?: string;
  readonly file?: string;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details?: { readonly type?: string; readonly error?: unknown };
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** A suite's own result only repeats its tests', and a file's that of what is in it. */
const isSuite = (data: TestData): boolean => data.details?.type === 'suite';
const onlyRepeats = (error: unknown): boolean => {
  const code = error instanceof Error && 'failureType' in error ? error.failureType : '';
  return code === 'subtestsFailed';
};

export default async function* countReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const failures: TestFailure[] = [];
  for await (const event of source) {
    const data = event.data as TestData;
    if (event.type === 'test:pass' && !isSuite(data)) {
      const isSkipped = (data.skip ?? false) !== false || (data.todo ?? false) !== false;
      if (isSkipped) skipped += 1;
      else passed += 1;
    }
    if (event.type === 'test:fail' && !onlyRepeats(data.details?.error)) {
      failed += 1;
      failures.push({
        file: data.file ?? '',
        name: data.name ?? '',
        message: messageOf(data.details?.error),
      });
    }
  }
  const counts: TestCounts = { passed, failed, skipped, failures };
  yield `${JSON.stringify(counts)}\n`;
}
