/**
 * Inspect: what an archive is, what takes the room in it, what was left out, and whether it could be restored here.
 *
 *     open ─▶ contents ─▶ sizes of parts; the largest            by the index, or reading all of it
 *     outlook: the judgements of a restore, and nothing else of it
 */
import { tmpdir } from 'node:os';
import { ENTRY } from './archive/index.js';
import { LargestOf, PartSizes } from './contents/breakdown.js';
import { type Contents, longReadNote, openContents } from './contents.js';
import type { InspectOptions, InspectResult } from './contents-options.js';
import { interrupted, SnapshotError, throwIfAborted } from './errors.js';
import { type OpenedArchive, openArchive } from './opened-archive.js';
import { outlookFor } from './outlook.js';
import { asReadError } from './scratch-error.js';
import { SortedEntries } from './workspace/index.js';

/** As many of the largest are found, unless more are asked for. */
const TOP = 10;
const MOST_TOP = 1000;

/**
 * Inspects an archive.
 *
 * @returns what is in it; that it could not be restored here is no error
 * @throws SnapshotError: USAGE, INPUT_*, NOT_AN_ARCHIVE, ARCHIVE_*, MANIFEST_*, INTERRUPTED
 */
export async function inspect(options: InspectOptions): Promise<InspectResult> {
  const started = performance.now();
  const { archive: input, top = TOP, onEvent: emit = () => {} } = options;
  if (!Number.isInteger(top) || top < 0 || top > MOST_TOP)
    throw new SnapshotError('USAGE', `top must be a whole number from 0 to ${MOST_TOP}, not ${top}`);
  const signal = options.signal ?? new AbortController().signal;
  throwIfAborted(signal);
  try {
    emit({ type: 'phase', phase: 'read' });
    const archive = await openArchive(input, signal);
    try {
      const contents = openContents(archive, signal);
      const note = longReadNote(contents);
      if (note !== null) emit({ type: 'note', message: note });
      const found = await takeStock(archive, contents, top, signal, (files, bytes) => {
        if (contents.source === 'index') return;
        const read = Math.min(contents.bytesRead, archive.size);
        emit({ type: 'progress', progress: { files, bytes, dumpBytes: 0, read, size: archive.size } });
      });
      emit({ type: 'phase', phase: 'judge' });
      const outlook = await outlookFor(archive, options, signal);
      return {
        archive: typeof input === 'string' ? input : null,
        size: archive.size,
        source: contents.source,
        bytesRead: contents.bytesRead,
        members: archive.members?.length ?? null,
        manifest: archive.manifest,
        ...found,
        leftOut: contents.leftOut === null ? null : [...contents.leftOut],
        incomplete: contents.incomplete,
        outlook,
        durationMs: performance.now() - started,
      };
    } finally {
      await archive.handle.close();
    }
  } catch (error) {
    throw signal.aborted ? interrupted() : asReadError(error);
  }
}

/** Counts what is in an archive. */
async function takeStock(
  archive: OpenedArchive,
  contents: Contents,
  top: number,
  signal: AbortSignal,
  onBatch: (files: number, bytes: number) => void,
): Promise<Pick<InspectResult, 'parts' | 'workspace' | 'largest'>> {
  const isIndexed = contents.source === 'index';
  const sizes = new PartSizes(isIndexed ? archive.members : null);
  const largest = new LargestOf(top);
  // Where nobody has checked the order, files have to be brought into it.
  const sorted = isIndexed ? null : new SortedEntries<{ path: string; size: number }>(tmpdir());
  try {
    for await (const batch of contents.entries()) {
      for (const entry of batch) {
        sizes.add(entry);
        if (entry.kind !== 'file' || !entry.name.startsWith(ENTRY.workspace)) continue;
        const path = entry.name.slice(ENTRY.workspace.length);
        if (sorted === null) largest.add(path, entry.size);
        else sorted.add({ path, size: entry.size });
      }
      onBatch(sizes.workspace.files, sizes.workspace.bytes);
    }
    if (sorted !== null) for await (const { path, size } of sorted.read(signal)) largest.add(path, size);
    return { parts: sizes.parts, workspace: sizes.workspace, largest: largest.end() };
  } finally {
    sorted?.close();
  }
}
