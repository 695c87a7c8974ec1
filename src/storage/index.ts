/**
 * Storage: where the engine keeps its records, image contents, layers and volumes. Each part is an
 * implementation of a port of `core/ports`; the composition root builds them and hands them to the services.
 */

export { openSqliteRecords, type SqliteRecordsOptions } from './records/sqlite.ts';
