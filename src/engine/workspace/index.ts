/** The workspace: what belongs into the archive, in which order and blocks, and how it is read. */
export { type Cut, cutBlocks } from './blocks.js';
export { wholeSeconds } from './entry-table.js';
export type { ExclusionRules } from './exclusion.js';
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
export { type ScanResult, type ScanTask, scanShards } from './scan.js';
export { WorkspaceWalk } from './walk.js';
