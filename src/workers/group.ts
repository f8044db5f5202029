import { type GroupResult, type GroupTask, packGroup } from '../engine/workspace/index.js';
import { alone } from './alone.js';
import { giving } from './transfer.js';

/** Packs small entries into one member. */
export default alone(async (task: GroupTask): Promise<GroupResult> => {
  const result = await packGroup(task);
  return giving(result, result.member);
});
