import { type InflateResult, type InflateTask, inflateSegment } from '../engine/workspace/index.js';
import { alone } from './alone.js';
import { giving } from './transfer.js';

/** Inflates a block of a large file, and puts its content into its place. */
export default alone((task: InflateTask): InflateResult => {
  const result = inflateSegment(task);
  return giving(result, result.content);
});
