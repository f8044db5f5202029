import { type ListResult, type ListTask, listBlock } from '../engine/workspace/index.js';

/** Reads the headers of a block of whole entries. */
export default (task: ListTask): ListResult => listBlock(task);
