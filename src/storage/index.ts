/**
 * Storage: where the engine keeps its records, image contents, layers and volumes. Each part is an
 * implementation of a port of `core/ports`; the composition root builds them and hands them to the services.
 */

export { openContentStore } from './blobs/content-store.ts';
export { openSqliteRecords, type SqliteRecordsOptions } from './records/sqlite.ts';
export { closeMappedView, type Remap } from './snapshots/overlay2/mapped-view.ts';
export { chooseDriver, type SnapshotDriverName } from './snapshots/choose.ts';
export { openOverlay2 } from './snapshots/overlay2/open.ts';
export { openBtrfs, openVfs } from './snapshots/vfs/open.ts';
export { openTrash, type Trash } from './trash.ts';
export { openLocalVolumes } from './volumes/local.ts';
export { StorageWorkers, type StorageWorkersOptions } from './worker/pool.ts';
