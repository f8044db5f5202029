import { type SumResult, type SumTask, sumFiles } from '../engine/workspace/index.js';
import { alone } from './alone.js';

/** Reads files on the disk for their checksums. */
export default alone((task: SumTask): SumResult => sumFiles(task));
