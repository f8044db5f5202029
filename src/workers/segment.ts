import { packSegment, type SegmentResult, type SegmentTask } from '../engine/workspace/index.js';
import { alone } from './alone.js';
import { giving } from './transfer.js';

/** Packs a segment of a large file. */
export default alone(async (task: SegmentTask): Promise<SegmentResult> => {
  const result = await packSegment(task);
  return giving(result, result.member, result.content);
});
