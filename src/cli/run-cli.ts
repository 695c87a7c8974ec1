/** One command line from its words to its exit code. */
import { findCommand, NOUNS } from './command-table.ts';
import type { CommandContext, CommandModule } from './command.ts';
import { type ConfigFile, configDirectory, loadConfig } from './config.ts';
import { connect, hostOf } from './connect.ts';
import { ArgumentError, EXIT_ENGINE, EXIT_FAILURE, EXIT_OK, FlagError } from './exit.ts';
import { errorText, exitCodeOf } from './failure.ts';
import { withHidden } from './flags/hidden.ts';
import { type Flags, parseFlags } from './flags/parse.ts';
import pages from './generated/reference.ts';
import { ownFlags, ownPages } from './own-pages.ts';
import type { Client } from '../client/index.ts';
import type { Io, Sink } from './io.ts';
import { VERSION } from './version.ts';

/** The help's texts are loaded only when somebody wants them. */
const loadHelp = () => import('./help.ts');

async function printHelp(io: Io, path: string, out: Sink = io.stdout): Promise<number> {
  const { helpText } = await loadHelp();
  out.write(`${helpText(path, out.size().columns, io.env['HOME'] ?? '~')}\n`);
  return EXIT_OK;
}

/** Prints an error of the command line or of the command and answers the exit code. */
async function report(io: Io, path: string, error: unknown): Promise<number> {
  const name = path === '' ? 'slipway' : `slipway ${path}`;
  if (error instanceof FlagError) {
    const usage =
      path === '' ? 'Usage:  slipway [OPTIONS] COMMAND [ARG...]' : (await loadHelp()).usageText(path);
    io.stderr.write(`${error.message}\n\n${usage}\n\nRun '${name} --help' for more information\n`);
    return EXIT_ENGINE;
  }
  if (error instanceof ArgumentError) {
    const usage = (await loadHelp()).usageText(path);
    io.stderr.write(
      `slipway: ${error.message}\n\n${usage}\n\n${error.footer} '${name} --help' for more information\n`,
    );
    return EXIT_FAILURE;
  }
  const text = errorText(error);
  if (text !== '') io.stderr.write(`${text}\n`);
  if (io.env['SLIPWAY_DEBUG'] !== undefined && error instanceof Error)
    io.stderr.write(`${error.stack ?? ''}\n`);
  return exitCodeOf(error);
}

async function unknownCommand(io: Io, words: readonly string[]): Promise<number> {
  const noun = words.length > 1 ? words[0] : undefined;
  const { suggestion } = await import('./suggest.ts');
  const hint = suggestion(words);
  const name = noun === undefined ? 'slipway' : `slipway ${noun}`;
  io.stderr.write(
    `slipway: unknown command: slipway ${words.join(' ')}\n\n` +
      (hint === undefined ? '' : `${hint}\n\n`) +
      (noun === undefined ? '' : `Usage:  slipway ${noun}\n\n`) +
      `Run '${name} --help' for more information\n`,
  );
  return EXIT_FAILURE;
}

/** A broken configuration is no reason to fail; the user should know all the same. */
function warned(io: Io, config: ConfigFile): ConfigFile {
  if (config.problem !== undefined) {
    io.stderr.write(`WARNING: Error parsing config file (${config.file}): ${config.problem}\n`);
  }
  return config;
}

function contextOf(
  io: Io,
  global: Flags,
  path: string,
  flags: Flags,
  args: readonly string[],
): CommandContext {
  let client: Client | undefined;
  let config: ConfigFile | undefined;
  const directory = global.changed('config') ? global.string('config') : '';
  const loadOnce = (): ConfigFile => (config ??= warned(io, loadConfig(configDirectory(io.env, directory))));
  return {
    io,
    flags,
    args,
    path,
    config: loadOnce,
    client: () => (client ??= connect(global, io.env, loadOnce())),
    host: () => hostOf(global, io.env),
  };
}

async function runCommand(
  io: Io,
  global: Flags,
  path: string,
  module: CommandModule,
  words: readonly string[],
): Promise<number> {
  const page = (pages[path] ?? ownPages[path])?.();
  const rows = withHidden(path, [...(page?.flags ?? []), ...(ownFlags[path] ?? [])]);
  const set = {
    rows,
    interspersed: module.interspersed ?? true,
    ...(module.checks === undefined ? {} : { checks: module.checks }),
  };
  const { flags, args } = parseFlags(set, words);
  if (flags.bool('help')) return printHelp(io, path);
  if (flags.changed('time')) io.stdout.write('Flag --time has been deprecated, use --timeout instead\n');
  module.args(path, args.length);
  const context = contextOf(io, global, path, flags, args);
  return (await module.run(context)) ?? EXIT_OK;
}

/** Splits the words into the command's path and its own words. */
async function dispatch(io: Io, global: Flags, words: readonly string[]): Promise<number> {
  const [first = '', second] = words;
  if (first === 'help') return helpTopic(io, words.slice(1));
  const isNoun = NOUNS.includes(first);
  if (isNoun && second === undefined) return printHelp(io, first, io.stderr);
  if (isNoun && (second === '--help' || second === '-h')) return printHelp(io, first);
  if (isNoun && second?.startsWith('-') === true) {
    const shown = second.startsWith('--')
      ? `unknown flag: ${second}`
      : `unknown shorthand flag: '${second.charAt(1)}' in ${second}`;
    return report(io, first, new FlagError(shown));
  }
  const path = isNoun ? [first, second ?? ''] : [first];
  const found = findCommand(path);
  if (found === undefined) return unknownCommand(io, path);
  try {
    const { command } = await found.load();
    return await runCommand(io, global, found.path, command, words.slice(path.length));
  } catch (error) {
    return report(io, found.path, error);
  }
}

async function helpTopic(io: Io, words: readonly string[]): Promise<number> {
  if (words.length === 0) return printHelp(io, '');
  const name = words.join(' ');
  const found = findCommand(words);
  if (found !== undefined || NOUNS.includes(name)) return printHelp(io, found?.path ?? name);
  io.stderr.write(`unknown help topic: ${name}\n`);
  return EXIT_FAILURE;
}

/** Runs one command line (without the program's name). Never throws. */
export async function runCli(words: readonly string[], io: Io): Promise<number> {
  try {
    const all = withHidden('', pages['']?.().flags ?? []);
    const rows = all.filter((row) => row[1] !== 'context');
    const { flags, args } = parseFlags({ rows, interspersed: false }, words);
    if (flags.bool('version')) {
      io.stdout.write(`Slipway version ${VERSION}\n`);
      return EXIT_OK;
    }
    if (flags.bool('help')) return await printHelp(io, '');
    if (args.length === 0) return await printHelp(io, '', io.stderr);
    return await dispatch(io, flags, args);
  } catch (error) {
    return report(io, '', error);
  }
}
