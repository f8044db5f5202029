/** The workspace: what belongs into the archive, in which order and blocks, and how it is read. */
export { cutBlocks } from './blocks.js';
export { arriving } from './carried-error.js';
export { DeferredEntries } from './deferred.js';
export { buffersOf, type EntryTable, rowsOf, wholeSeconds } from './entry-table.js';
export { type ExclusionRules, isBuiltInExclusion } from './exclusion.js';
export { ruleFor } from './ignore-files.js';
export {
  type BlockEntry,
  type ListedEntry,
  type ListResult,
  type ListTask,
  listBlock,
  listed,
  type SumResult,
  type SumTask,
  sumFiles,
} from './listing.js';
export {
  type GroupResult,
  type GroupTask,
  openForReading,
  packGroup,
  packSegment,
  readWarning,
  type SegmentResult,
  type SegmentTask,
} from './pack.js';
export { checkPlaces } from './place-check.js';
export { type SalvageResult, type SalvageTask, salvageMember } from './salvage.js';
export { literalPart, type Selection, Wanted } from './selection.js';
export type { ScanResult, ScanTask } from './shard.js';
export { SortedEntries } from './sorted-entries.js';
export { StagingTree } from './staging-tree.js';
export {
  besideOf,
  checkKnownSize,
  checkOrder,
  type InflateResult,
  type InflateTask,
  inflateSegment,
  isBelow,
  isHeld,
  MAX_KNOWN_BYTES,
  type Unpacked,
  type UnpackResult,
  type UnpackTask,
  unpackBlock,
  WorkspaceSink,
} from './unpack.js';
export { WorkspaceWalk } from './walk.js';
