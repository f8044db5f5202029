import { type ScanResult, type ScanTask, scanShards } from '../engine/workspace/index.js';

/** Scans shards of the workspace. */
export default (task: ScanTask): ScanResult => scanShards(task);
