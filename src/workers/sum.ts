import { type SumResult, type SumTask, sumFiles } from '../engine/workspace/index.js';

/** Reads files on the disk for their checksums. */
export default (task: SumTask): SumResult => sumFiles(task);
