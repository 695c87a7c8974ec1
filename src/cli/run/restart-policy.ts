/** `--restart`: `no`, `always`, `unless-stopped`, `on-failure[:times]`, `on-unhealthy[:times]`. */
import { CliError } from '../exit.ts';

export interface RestartPolicy {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}

export function parseRestart(text: string): RestartPolicy {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const count = colon < 0 ? '0' : text.slice(colon + 1);
  if (colon >= 0 && name === '')
    throw new CliError('invalid restart policy format: no policy provided before colon');
  if (!/^-?\d+$/.test(count))
    throw new CliError('invalid restart policy format: maximum retry count must be an integer');
  return { Name: name, MaximumRetryCount: Number(count) };
}
