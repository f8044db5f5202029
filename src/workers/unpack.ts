import { type UnpackResult, type UnpackTask, unpackBlock } from '../engine/workspace/index.js';

/** Unpacks a block of whole entries into the staging tree. */
export default (task: UnpackTask): UnpackResult => unpackBlock(task);
