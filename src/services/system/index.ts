/**
 * The system room: facts about the engine and its host (`info`, `version`), the stream of events and disk usage. Reads the
 * other services and the host's /proc; changes nothing. Called by the API's routes.
 */

export type * from './types.ts';
export type { SystemDeps } from './deps.ts';
export { createSystemService } from './system.ts';
