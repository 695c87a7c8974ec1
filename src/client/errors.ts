/** What can go wrong between client and engine. */

/** The engine answered with an error; `message` is its own, without a prefix. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The engine could not be reached, or the connection broke. `code` is the system's error code when there is one. */
export class ConnectError extends Error {
  readonly code: string | undefined;
  readonly endpoint: string;

  constructor(endpoint: string, message: string, options: { code?: string | undefined; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'ConnectError';
    this.code = options.code;
    this.endpoint = endpoint;
  }
}
