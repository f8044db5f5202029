/**
 * Printing a file of an archive, for people: nothing but notes, unless more is asked for.
 */
import type { CatPhase, CatResult } from '../../index.js';
import { formatBytes, formatDuration, printable } from '../format.js';
import { STOPPING, type View } from './view.js';

/** How printing a file is told. */
export const catView: View<CatPhase, CatResult> = {
  command: 'cat',
  phases: { read: { line: 'Reading the archive', name: 'read' } },
  firstPhase: 'read',
  liveLine: () => 'Reading the archive',
  stopping: () => STOPPING,
  summary: (result, { verbose }) => (verbose ? [summaryLine(result)] : []),
  lastWord: () => undefined,
};

function summaryLine({ name, bytes, sha256, checksum, bytesRead, size, durationMs }: CatResult): string {
  const checked = checksum ? 'as its checksum says' : 'no checksum to compare';
  const state = sha256 === null ? 'the reader stopped before its end' : checked;
  const read = `${formatBytes(bytesRead)} of ${formatBytes(size)} read`;
  return `${printable(name)}: ${formatBytes(bytes)}, ${state}; ${read}, ${formatDuration(durationMs)}`;
}
