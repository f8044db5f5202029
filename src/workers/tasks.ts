/**
 * The tasks of the worker threads, all in one place: what goes over, what comes back, and which buffers change hands.
 */
import type {
  GroupResult,
  GroupTask,
  InflateResult,
  InflateTask,
  ListResult,
  ListTask,
  SalvageResult,
  SalvageTask,
  ScanResult,
  ScanTask,
  SegmentResult,
  SegmentTask,
  SumResult,
  SumTask,
  UnpackResult,
  UnpackTask,
} from '../engine/workspace/index.js';

/** A piece of a stream that only the coordinator has (the dump, the checksums). */
export interface SliceTask {
  /** Given away: its buffer belongs to the worker. */
  content: Uint8Array<ArrayBuffer>;
  level: number;
  /** A buffer that comes back with the member; given away. */
  target: ArrayBuffer;
}

/** Given away: the buffers belong to the receiver. */
export interface SliceResult {
  member: Uint8Array<ArrayBuffer>;
  /** The task's. */
  content: Uint8Array<ArrayBuffer>;
}

/** Every task, by the name of its file in this folder. */
export interface Tasks {
  scan: { task: ScanTask; result: ScanResult };
  group: { task: GroupTask; result: GroupResult };
  segment: { task: SegmentTask; result: SegmentResult };
  unpack: { task: UnpackTask; result: UnpackResult };
  inflate: { task: InflateTask; result: InflateResult };
  list: { task: ListTask; result: ListResult };
  sum: { task: SumTask; result: SumResult };
  salvage: { task: SalvageTask; result: SalvageResult };
  slice: { task: SliceTask; result: SliceResult };
}
