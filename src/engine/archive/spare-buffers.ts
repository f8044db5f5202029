/**
 * Buffers that are used again.
 *
 * A block and its member travel between threads. Were each in a new buffer, the coordinator would spend more time on its garbage than on its work: for
 * V8 a megabyte that arrived is a megabyte allocated. So what has been written comes back here, and goes out with the next task.
 */
import { BLOCK_BYTES } from './member.js';

/** Room for a block with its headers, or for its member. What is larger, in rare cases, gets a buffer of its own. */
const BUFFER_BYTES = BLOCK_BYTES + (64 << 10);

/** As many as are in use at once. */
export class SpareBuffers {
  readonly #spare: ArrayBuffer[] = [];

  /** A buffer of at least {@link BLOCK_BYTES}, with whatever was in it. */
  take(): ArrayBuffer {
    return this.#spare.pop() ?? new ArrayBuffer(BUFFER_BYTES);
  }

  /** Gives back a buffer, of here or elsewhere, that nobody uses any more. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength === BUFFER_BYTES) this.#spare.push(buffer);
  }
}
