/** Progress of pull, push, load: bars that redraw on a terminal, plain lines elsewhere. */
import type { ProgressMessage } from '../../client/index.ts';
import { CliError } from '../exit.ts';
import type { Sink } from '../io.ts';
import { humanSize4 } from './units.ts';

/** Narrower terminals get numbers without a bar. */
const BAR_FROM = 110;
const NO_TERMINAL_WIDTH = 200;

type Detail = NonNullable<ProgressMessage['progressDetail']>;

function numbers(detail: Detail, current: number, total: number): string {
  if (detail.hidecounts === true) return '';
  if ((detail.units ?? '') === '') {
    const now = humanSize4(current).padStart(8);
    return current > total ? now : `${now}/${humanSize4(total)}`;
  }
  return current > total ? `${current} ${detail.units ?? ''}` : `${current}/${total} ${detail.units ?? ''}`;
}

/** The bar and the numbers; '' when nothing is known yet. */
export function progressText(detail: Detail, width: number): string {
  const current = detail.current ?? 0;
  const total = detail.total ?? 0;
  if (current <= 0 && total <= 0) return '';
  if (total <= 0) {
    return (detail.units ?? '') === '' ? humanSize4(current).padStart(8) : `${current} ${detail.units ?? ''}`;
  }
  const filled = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = width > BAR_FROM ? `[${'='.repeat(filled)}>${' '.repeat(50 - filled)}] ` : '';
  return bar + numbers(detail, current, total);
}

function lineText(message: ProgressMessage, terminal: boolean, width: number): string {
  const detail = message.progressDetail;
  const redraw = terminal && detail !== undefined && (message.stream ?? '') === '';
  const end = redraw ? '\r' : '';
  const shown = detail === undefined ? '' : progressText(detail, width);
  if (!terminal && shown !== '') return '';
  const head = `${redraw ? '\u001b[2K\r' : ''}${message.id === undefined ? '' : `${message.id}: `}`;
  if (redraw) return `${head}${message.status ?? ''} ${shown}${end}`;
  if ((message.stream ?? '') !== '') return `${head}${message.stream ?? ''}`;
  return `${head}${message.status ?? ''}\n`;
}

/** Shows all messages; throws CliError with the engine's words at the first error in the stream. */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  out: Sink,
  onAux?: (aux: unknown) => void,
): Promise<void> {
  const lines = new Map<string, number>();
  const terminal = out.isTerminal;
  for await (const message of messages) {
    if (message.aux !== undefined) {
      onAux?.(message.aux);
      continue;
    }
    const failed = message.errorDetail?.message ?? message.error;
    if (failed !== undefined && failed !== '') throw new CliError(failed);
    let up = 0;
    if (
      message.id !== undefined &&
      (message.progressDetail !== undefined || message.progress !== undefined)
    ) {
      let line = lines.get(message.id);
      if (line === undefined) {
        line = lines.size;
        lines.set(message.id, line);
        if (terminal) out.write('\n');
      }
      up = lines.size - line;
    } else lines.clear();
    const width = terminal ? out.size().columns : NO_TERMINAL_WIDTH;
    const text = lineText(message, terminal, width);
    out.write(terminal && up > 0 ? `\u001b[${up}A${text}\u001b[${up}B` : text);
  }
}
