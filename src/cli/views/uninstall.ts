/**
 * An uninstall, for people: what goes and what stays, before and after.
 */
import type { UninstallPhase, UninstallResult } from '../../index.js';
import { formatBytes, formatCount, formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { type Row, rowsOf, tableLines } from './table.js';
import { STOPPING, type SummaryStyle, type View } from './view.js';

type Removed = UninstallResult['removed'][number];

/** How an uninstall is told; null is one that was asked about, and not wanted. */
export const uninstallView: View<UninstallPhase, UninstallResult | null> = {
  command: 'uninstall',
  phases: {
    judge: { line: 'Looking at what would be removed', name: 'judge' },
    stop: { line: 'Stopping the datastore', name: 'stop' },
    remove: { line: 'Removing', name: 'remove' },
  },
  firstPhase: 'judge',
  liveLine: (phase) => uninstallView.phases[phase].line,
  stopping: (phase) => (phase === 'remove' ? 'too late to stop, finishing; once more stops at once' : STOPPING),
  summary: (result, style) => (result === null ? ['Nothing was removed.'] : summaryLines(result, style)),
  lastWord: () => undefined,
};

/** What a person is asked about. */
export function planLines(plan: UninstallResult, colours: Colours): string[] {
  const lines = [colours.bold('This removes, for good:'), ...tableLines(removedRows(plan), colours)];
  if (plan.kept.length > 0) lines.push('This stays:', ...tableLines(keptRows(plan), colours));
  if (plan.stopped) lines.push('The datastore is running, and will be stopped.');
  return lines;
}

function summaryLines(result: UninstallResult, { colours, verbose, phases }: SummaryStyle): string[] {
  if (result.removed.length === 0) return ['Nothing to do: there is nothing to remove.'];
  const time = rowsOf('time', verbose ? [formatDuration(result.durationMs), phases] : []);
  const rows = [...removedRows(result), ...keptRows(result), ...time];
  const lines = [`${colours.green('Removed:')} ${result.purge ? 'the whole install' : 'the tools'}`];
  lines.push(...tableLines(rows, colours));
  if (!result.purge)
    lines.push(`${colours.bold('leoflow setup')} brings back what was removed; --purge removes the rest, too.`);
  return lines;
}

function removedRows({ removed }: UninstallResult): Row[] {
  return removed.flatMap((part) => rowsOf(part.what, [`${printable(part.path)}: ${extentText(part)}`]));
}

function keptRows({ kept }: UninstallResult): Row[] {
  return rowsOf('kept', kept.map(printable));
}

function extentText({ files, bytes }: Removed): string {
  return `${formatCount(files, 'file')}, ${formatBytes(bytes)}`;
}
