import { compressMember, concatRecords } from '../engine/archive/index.js';
import { alone } from './alone.js';
import type { SliceResult, SliceTask } from './tasks.js';
import { giving } from './transfer.js';

/** Compresses a piece of a stream; the last one is padded to whole records. */
export default alone(({ content, level, target }: SliceTask): SliceResult => {
  const member = compressMember(concatRecords([content]), 'continuation', level, target);
  return giving({ member, content }, member, content);
});
