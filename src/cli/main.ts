#!/usr/bin/env node
/** Entry of the `slipway` program, on Node and compiled by Bun. */
import { processIo } from './process-io.ts';
import { runCli } from './run-cli.ts';

// Open connections and a pending read of stdin must not keep a finished command alive.
void runCli(process.argv.slice(2), processIo).then((code) => process.exit(code));
