/**
 * The library: what the CLI uses, and nothing less.
 *
 * @packageDocumentation
 */
export type { Manifest } from './engine/archive/index.js';
export { backup } from './engine/backup.js';
export { cat } from './engine/cat.js';
export type { ArchivePart, Large } from './engine/contents/breakdown.js';
export type { ContentsEntry } from './engine/contents.js';
export type {
  InspectEvent,
  InspectOptions,
  InspectPhase,
  InspectResult,
  ListEvent,
  ListOptions,
  ListPhase,
  ListResult,
  Look,
} from './engine/contents-options.js';
export { diff } from './engine/diff.js';
export type {
  Aspect,
  Change,
  DiffEvent,
  Difference,
  DiffOptions,
  DiffPhase,
  DiffResult,
  PartDifferences,
} from './engine/diff-options.js';
export { type ErrorCode, type FailureKind, SnapshotError } from './engine/errors.js';
export type {
  BackupEvent,
  BackupPhase,
  BackupProgress,
  RestoreEvent,
  RestorePhase,
  RestoreProgress,
  Warning,
  WarningCode,
} from './engine/events.js';
export { extract } from './engine/extract.js';
export { inspect } from './engine/inspect.js';
export { defaultHome } from './engine/install/index.js';
export { list } from './engine/list.js';
export { runLite, setup, uninstall } from './engine/lite/index.js';
export type {
  LiteEvent,
  LiteOptions,
  LitePhase,
  LiteResult,
  LiteServing,
  Removal,
  SetupEvent,
  SetupOptions,
  SetupResult,
  UninstallEvent,
  UninstallOptions,
  UninstallPhase,
  UninstallResult,
} from './engine/lite/options.js';
export {
  type BackupOptions,
  type BackupResult,
  type ConfigChange,
  type LeftOut,
  RESTORE_PARTS,
  type RecoverOptions,
  type RecoverResult,
  type RestoreOptions,
  type RestorePart,
  type RestoreResult,
} from './engine/options.js';
export type { Obstacle, Outlook } from './engine/outlook.js';
export { prune } from './engine/prune.js';
export type {
  ArchiveSource,
  KeepReason,
  KeepRules,
  PeriodRule,
  PruneDecision,
  PruneEvent,
  PruneOptions,
  PrunePhase,
  PruneResult,
  Span,
  Untouched,
} from './engine/prune-options.js';
export { recover } from './engine/recovery.js';
export { restore } from './engine/restore.js';
export type {
  CatEvent,
  CatOptions,
  CatPhase,
  CatResult,
  ExtractEvent,
  ExtractOptions,
  ExtractPhase,
  ExtractResult,
} from './engine/take-options.js';
export { verify } from './engine/verify.js';
export type {
  DamagedEntry,
  Problem,
  Verdict,
  VerifyEvent,
  VerifyOptions,
  VerifyPhase,
  VerifyProgress,
  VerifyResult,
} from './engine/verify-options.js';
export { VERSION } from './engine/version.js';
