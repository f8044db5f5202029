/**
 * The datastore: finding it, dumping it, and bringing a dump back. Other folders import nothing but this.
 */
export type { Session } from './cluster/admin.js';
export { type ClusterLease, type ClusterReport, inspectCluster, leaseCluster } from './cluster/lease.js';
export { previousName, type SwapNames } from './cluster/swap.js';
export type { Connection } from './connection.js';
export { type Dump, startDump } from './dump.js';
export { type Datastore, type DatastoreOptions, openDatastore } from './open.js';
export { type DumpHeader, HEADER_SIZE, parseDumpHeader, requireServerFor } from './replay/dump-header.js';
export { requirePsqlWithRestrict } from './replay/restrict.js';
export { stagedName } from './replay/sandbox.js';
export {
  dropDatabase,
  listSessions,
  replayInPlace,
  requireNoSessions,
  type StagedDatabase,
  stageDatabase,
  swapDatabases,
  swapIsDone,
  sweepStaged,
  undoSwap,
} from './restore.js';
export type { PostgresTools } from './tools.js';
