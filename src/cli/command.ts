/** What a command is and what it is given. */
import type { Client } from '../client/index.ts';
import type { ConfigFile } from './config.ts';
import { ArgumentError } from './exit.ts';
import type { Flags } from './flags/parse.ts';
import type { Io } from './io.ts';

export interface CommandContext {
  readonly io: Io;
  readonly flags: Flags;
  readonly args: readonly string[];
  /** The words of the command, `container ls`. */
  readonly path: string;
  /** Made at the first call: many commands fail before they need an engine. */
  readonly client: () => Client;
  readonly config: () => ConfigFile;
  /** Where the engine listens, `unix:///run/slipway.sock`. */
  readonly host: () => string;
}

/** Throws ArgumentError in docker's words when the number of arguments is wrong. */
export type ArgumentRule = (path: string, count: number) => void;

export interface CommandModule {
  readonly args: ArgumentRule;
  /** Flags end at the first argument: what follows belongs to the container. */
  readonly interspersed?: false;
  readonly checks?: Readonly<Record<string, (text: string) => void>>;
  /** Answers the exit code, nothing for 0. */
  run(c: CommandContext): Promise<number | void>;
}

const plural = (count: number): string => (count === 1 ? 'argument' : 'arguments');

export const noArgs: ArgumentRule = (path, count) => {
  if (count > 0) throw new ArgumentError(`'slipway ${path}' accepts no arguments`, 'Run');
};

export const exactArgs =
  (wanted: number): ArgumentRule =>
  (path, count) => {
    if (count !== wanted) {
      throw new ArgumentError(`'slipway ${path}' requires ${wanted} ${plural(wanted)}`, 'Run');
    }
  };

export const minArgs =
  (min: number): ArgumentRule =>
  (path, count) => {
    if (count < min)
      throw new ArgumentError(`'slipway ${path}' requires at least ${min} ${plural(min)}`, 'See');
  };

export const maxArgs =
  (max: number): ArgumentRule =>
  (path, count) => {
    if (count > max)
      throw new ArgumentError(`'slipway ${path}' requires at most ${max} ${plural(max)}`, 'Run');
  };

export const rangeArgs =
  (min: number, max: number): ArgumentRule =>
  (path, count) => {
    if (count < min || count > max) {
      throw new ArgumentError(
        `'slipway ${path}' requires at least ${min} and at most ${max} ${plural(max)}`,
        'Run',
      );
    }
  };

export const anyArgs: ArgumentRule = () => undefined;
