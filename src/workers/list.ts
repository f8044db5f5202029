import { type ListResult, type ListTask, listBlock } from '../engine/workspace/index.js';
import { alone } from './alone.js';

/** Reads the headers of a block of whole entries. */
export default alone((task: ListTask): ListResult => listBlock(task));
