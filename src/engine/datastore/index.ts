/**
 * The datastore: finding it, dumping it, and bringing a dump back. Other folders import nothing but this.
 */
export type { Connection } from './connection.js';
export { type Dump, startDump } from './dump.js';
export { type Datastore, type DatastoreOptions, openDatastore } from './open.js';
export type { PostgresTools } from './tools.js';
