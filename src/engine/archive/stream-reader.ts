/**
 * Reading an archive from its first byte to its last: the way for those without members of ours (the Go implementation's, or repacked ones).
 */
import { readSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';
import { fileChunks } from './file-chunks.js';
import { truncated } from './member-reader.js';
import { damaged, type TarEvent, TarReader } from './tar-reader.js';

const MAGIC = Buffer.from([0x1f, 0x8b]);
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
  const start = Buffer.alloc(Math.min(MAGIC.length, fileSize));
  readSync(fd, start, 0, start.length, 0);
  if (!MAGIC.subarray(0, start.length).equals(start)) throw notAnArchive('it is not gzip');
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const fed = pipeline(fileChunks(fd, CHUNK_BYTES), gunzip).catch(() => {});
  const reader = new TarReader();
  try {
    for await (const chunk of gunzip) {
      signal?.throwIfAborted();
      onRead?.(gunzip.bytesWritten);
      yield* reader.push(chunk as Buffer);
    }
  } catch (error) {
    throw streamError(error, reader);
  } finally {
    gunzip.destroy();
    // The descriptor is the caller's, who may close it from here on.
    await fed;
  }
  if (!reader.recognized && !reader.ended) throw notAnArchive('there is no tar archive in it');
  if (!reader.betweenEntries || !reader.ended) throw truncated();
  if (gunzip.bytesWritten !== fileSize) throw somethingBehind();
}

function streamError(error: unknown, reader: TarReader): unknown {
  if (error instanceof SnapshotError) {
    return error.code === 'ARCHIVE_DAMAGED' && !reader.recognized
      ? notAnArchive('there is no tar archive in it')
      : error;
  }
  const code = systemErrorCode(error);
  if (code === 'Z_BUF_ERROR') return truncated();
  // Zeros end the stream for zlib, and a member may stand behind them.
  if (code === 'ERR_STREAM_PUSH_AFTER_EOF') return somethingBehind();
  if (code?.startsWith('Z_') && error instanceof Error) {
    // What is no header can only stand behind a member.
    return /incorrect header/.test(error.message) ? somethingBehind() : damaged(error.message);
  }
  if (code === undefined) return error;
  return new SnapshotError('INPUT_UNREADABLE', `the archive cannot be read: ${systemErrorText(error)}`, {
    hint: 'check the disk it lies on, or take another copy; nothing was changed',
    cause: error,
  });
}

function somethingBehind(): SnapshotError {
  return damaged('there is something behind its end');
}

/** The error of a file that is something else. */
export function notAnArchive(what: string): SnapshotError {
  return new SnapshotError('NOT_AN_ARCHIVE', `this is not a backup archive: ${what}`, {
    hint: 'name a .tar.gz that `leoflow lite backup` has written',
  });
}
