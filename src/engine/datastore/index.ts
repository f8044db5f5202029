/**
 * The datastore: finding it, dumping it, and bringing a dump back. Other folders import nothing but this.
 */
export type { Session } from './cluster/admin.js';
export { runsForBackup, startForBackup, stopUnlessUsed } from './cluster/backup.js';
export {
  type ClusterLease,
  type ClusterReport,
  inspectCluster,
  leaseCluster,
  requireStartable,
} from './cluster/lease.js';
export { clusterRuns, type ServedCluster, serveCluster, stopCluster } from './cluster/serve.js';
export { requireShortSocket } from './cluster/server.js';
export { previousName, type SwapNames } from './cluster/swap.js';
export { watchOver } from './cluster/watchdog.js';
export { type Connection, DATABASE, pgdataOf, ROLE } from './connection.js';
export { startDump } from './dump.js';
export { type Datastore, type DatastoreOptions, openDatastore, schemaVersionNow } from './open.js';
export { findPrograms, PROGRAMS, type ProgramDirectory } from './programs.js';
export { type DumpHeader, HEADER_SIZE, parseDumpHeader, requireServerFor } from './replay/dump-header.js';
export { requirePsqlWithRestrict } from './replay/restrict.js';
export { RowCounter } from './replay/row-counter.js';
export { isStagedName, stagedName } from './replay/sandbox.js';
export {
  databaseExists,
  dropDatabase,
  dropEmptyDatabase,
  listSessions,
  replayInPlace,
  requireNoSessions,
  requireReplayInPlace,
  type StagedDatabase,
  stageDatabase,
  swapDatabases,
  swapIsDone,
  sweepStaged,
  transactionIsCommitted,
  undoSwap,
} from './restore.js';
export type { PostgresTools } from './tools.js';
