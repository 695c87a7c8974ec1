/** A hint when the engine's error most likely comes from a slip of the hand. */
import { EXIT_NOT_FOUND } from '../exit.ts';

/** A line to print below the error, or undefined. */
export function runHint(args: readonly string[], exitCode: number, message: string): string | undefined {
  const [image = '', command = ''] = args;
  if (exitCode === EXIT_NOT_FOUND && command.startsWith('-')) {
    return `Hint: '${command}' stands behind the image and was taken for its command. Options go before the image: slipway run ${command} ${image}`;
  }
  if (image !== image.toLowerCase() && /must be lowercase|invalid reference format/.test(message)) {
    return `Hint: image names are lower case: slipway run ${image.toLowerCase()}`;
  }
  if (/pull access denied|not found: manifest|manifest unknown/.test(message) && image === '.') {
    return 'Hint: `run` takes an image. To build one from this directory: slipway build -t NAME .';
  }
  return undefined;
}
