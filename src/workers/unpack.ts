import { type UnpackResult, type UnpackTask, unpackBlock } from '../engine/workspace/index.js';
import { alone } from './alone.js';

/** Unpacks a block of whole entries into the staging tree. */
export default alone((task: UnpackTask): UnpackResult => unpackBlock(task));
