/**
 * List: the entries of an archive, by its index where it has one.
 *
 *     open ─▶ contents ─▶ chosen by patterns ─▶ told one by one, the next batch when the one before has been taken
 */

import { longReadNote, openContents } from './contents.js';
import type { ListOptions, ListResult } from './contents-options.js';
import { interrupted, throwIfAborted } from './errors.js';
import { NamePatterns } from './name-patterns.js';
import { openArchive } from './opened-archive.js';
import { keepPace } from './pace.js';
import { asReadError } from './scratch-error.js';

/**
 * Lists the entries of an archive.
 *
 * @returns how many there were; that a pattern chose nothing is no error
 * @throws SnapshotError: USAGE, INPUT_*, NOT_AN_ARCHIVE, ARCHIVE_*, MANIFEST_*, INTERRUPTED. Entries may have been told before it is found that the archive
 *   is damaged.
 */
export async function list(options: ListOptions): Promise<ListResult> {
  const started = performance.now();
  const { archive: input, onEvent: emit = () => {} } = options;
  const signal = options.signal ?? new AbortController().signal;
  throwIfAborted(signal);
  const patterns = new NamePatterns(options.patterns ?? []);
  try {
    emit({ type: 'phase', phase: 'list' });
    const archive = await openArchive(input, signal);
    try {
      const contents = openContents(archive, signal);
      const note = longReadNote(contents);
      if (note !== null) emit({ type: 'note', message: note });
      const { source } = contents;
      const { size } = archive;
      let [entries, bytes] = [0, 0];
      for await (const batch of contents.entries()) {
        for (const entry of batch) {
          if (!patterns.matches(entry.name)) continue;
          entries += 1;
          bytes += entry.size;
          emit({ type: 'entry', entry });
        }
        if (source === 'archive') {
          const progress = { files: entries, bytes, dumpBytes: 0, read: Math.min(contents.bytesRead, size), size };
          emit({ type: 'progress', progress });
        }
        await keepPace(options.pace, signal);
      }
      return {
        archive: typeof input === 'string' ? input : null,
        size,
        source,
        bytesRead: contents.bytesRead,
        entries,
        bytes,
        unmatched: patterns.unmatched,
        durationMs: performance.now() - started,
      };
    } finally {
      await archive.handle.close();
    }
  } catch (error) {
    throw signal.aborted ? interrupted() : asReadError(error);
  }
}
