/**
 * The containers room: everything that a person does to containers, and what becomes of them over time (exits, restarts,
 * health, reconciling after the daemon's own restart). Called by the API's routes and by the composition root.
 */
export type * from './types.ts';
