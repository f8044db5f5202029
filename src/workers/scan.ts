import type { ScanResult, ScanTask } from '../engine/workspace/index.js';
import { scanShards } from '../engine/workspace/scan.js';
import { alone } from './alone.js';

/** Scans shards of the workspace. */
export default alone((task: ScanTask): ScanResult => scanShards(task));
