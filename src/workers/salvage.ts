import { type SalvageResult, type SalvageTask, salvageMember } from '../engine/workspace/index.js';
import { alone } from './alone.js';
import { giving } from './transfer.js';

/** Gets what can be had of a member that may be damaged. */
export default alone(async (task: SalvageTask): Promise<SalvageResult> => {
  const result = await salvageMember(task);
  return giving(result, result.block);
});
