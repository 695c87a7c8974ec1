/** Shape of the generated table of commands and flags; a page is built only when asked for, which keeps start-up short. */

/** One-letter name or '', long name, value type as the help prints it (`bool` for switches), description. */
export type FlagRow = readonly [short: string, name: string, type: string, description: string];

export interface CommandPage {
  readonly usage: readonly string[];
  readonly short: string;
  readonly long: string;
  readonly aliases: readonly string[];
  readonly flags: readonly FlagRow[];
}

export type Reference = Readonly<Record<string, () => CommandPage>>;
