/** Paths and switches of the container requests. */

export const idPath = (id: string, verb = ''): string => `/containers/${encodeURIComponent(id)}${verb}`;

/** `true` or nothing: docker leaves switches that are off out of the query. */
export const on = (value: boolean | undefined): true | undefined => (value === true ? true : undefined);
