import { type ScanResult, type ScanTask, scanShards } from '../engine/workspace/index.js';
import { alone } from './alone.js';

/** Scans shards of the workspace. */
export default alone((task: ScanTask): ScanResult => scanShards(task));
