/**
 * Giving the memory of buffers back at once.
 *
 * zlib makes a buffer for each block. V8 knows of 64 MB of them in each thread before it looks which are still in use, and a megabyte that was never written to is
 * slower than one that just was. A buffer that is sent to another thread is gone here, and one that is sent to nobody is gone at once.
 */
import { MessageChannel } from 'node:worker_threads';

/** Smaller ones are not worth it. */
const LEAST_BYTES = 64 << 10;

/**
 * Whether a buffer may be sent away. Small ones, those that zlib makes among them, can lie in one that Node.js shares among many, and sending that throws
 * (since Node.js 21). How large it is changes with the version.
 */
export function isOwn(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize;
}

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/** Gives back what a view shows a part of. Nobody may use it any more: every view of it is empty from now on. */
export function release({ buffer }: Uint8Array): void {
  if (isOwn(buffer) && buffer.byteLength >= LEAST_BYTES) releaseBuffers([buffer]);
}

/** Gives back buffers that nobody shares. */
export function releaseBuffers(buffers: ArrayBuffer[]): void {
  nowhere.postMessage(null, buffers);
}
