/**
 * The library: what the CLI uses, and nothing less.
 *
 * @packageDocumentation
 */
export type { Manifest } from './engine/archive/index.js';
export { backup } from './engine/backup.js';
export { type ErrorCode, type FailureKind, SnapshotError } from './engine/errors.js';
export type { BackupEvent, BackupPhase, BackupProgress, Warning } from './engine/events.js';
export type { BackupOptions, BackupResult, LeftOut } from './engine/options.js';
export { VERSION } from './engine/version.js';
