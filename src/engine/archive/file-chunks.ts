/**
 * The bytes of a file that somebody else has open. No stream of `node:fs`: whatever `autoClose` says, one that is destroyed closes its descriptor, and
 * every loop that is broken off destroys it. The number would then soon be another file's.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';

const readAt = promisify(read);

/** Yields the file from its first byte to its last, in pieces of at most this many bytes. The position of the descriptor stays what it was. */
export async function* fileChunks(fd: number, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
