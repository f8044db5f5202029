/**
 * Reading an archive from its first byte to its last: the way for those without members of ours (the Go implementation's, or repacked ones).
 */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SnapshotError, systemErrorCode } from '../errors.js';
import { truncated } from './member-reader.js';
import { damaged, type TarEvent, TarReader } from './tar-reader.js';

const CHUNK_BYTES = 256 << 10;

/**
 * Yields the entries of a .tar.gz, and checks that it is whole.
 *
 * @param onRead told how many bytes of the file have been taken
 * @throws NOT_AN_ARCHIVE, ARCHIVE_TRUNCATED, ARCHIVE_DAMAGED, ARCHIVE_UNSAFE
 */
export async function* readStream(
  fd: number,
  fileSize: number,
  signal?: AbortSignal,
  onRead?: (bytes: number) => void,
): AsyncGenerator<TarEvent> {
  if (fileSize === 0) throw notAnArchive('it is empty');
  // The descriptor is the caller's, and `start` makes the stream read by position.
  const file = createReadStream('', { fd, start: 0, autoClose: false, highWaterMark: CHUNK_BYTES });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  pipeline(file, gunzip, () => {});
  const reader = new TarReader();
  try {
    for await (const chunk of gunzip) {
      signal?.throwIfAborted();
      onRead?.(gunzip.bytesWritten);
      yield* reader.push(chunk as Buffer);
    }
  } catch (error) {
    throw streamError(error, gunzip.bytesWritten === 0 || reader.position === 0);
  } finally {
    gunzip.destroy();
    file.destroy();
  }
  if (!reader.betweenEntries) throw truncated();
  if (!reader.ended) throw reader.position === 0 ? notAnArchive('there is no tar archive in it') : truncated();
  if (gunzip.bytesWritten !== fileSize) throw damaged('there is something behind its end');
}

function streamError(error: unknown, atTheStart: boolean): unknown {
  switch (systemErrorCode(error)) {
    case 'Z_BUF_ERROR':
      return truncated();
    case 'Z_DATA_ERROR':
      if (atTheStart && error instanceof Error && /incorrect header/.test(error.message))
        return notAnArchive('it is not gzip');
      return damaged(error instanceof Error ? error.message : String(error));
    default:
      return error;
  }
}

/** The error of a file that is something else. */
export function notAnArchive(what: string): SnapshotError {
  return new SnapshotError('NOT_AN_ARCHIVE', `this is not a backup archive: ${what}`, {
    hint: 'name a .tar.gz that `leoflow lite backup` has written',
  });
}
