/**
 * Printing a file of an archive, for people: nothing but notes, unless more is asked for.
 */
import type { CatPhase, CatResult } from '../../index.js';
import { formatBytes, formatDuration, printable } from '../format.js';
import { readText } from './list.js';
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

function summaryLine(result: CatResult): string {
  const { name, bytes, sha256, checksum } = result;
  const checked = checksum ? 'as its checksum says' : 'no checksum to compare';
  const state = sha256 === null ? 'the reader stopped before its end' : checked;
  return `${printable(name)}: ${formatBytes(bytes)}, ${state}; ${readText(result)}, ${formatDuration(result.durationMs)}`;
}
