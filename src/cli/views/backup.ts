/**
 * A backup, for people: its phases, and a summary of what is in the archive and what is not.
 */
import type { BackupPhase, BackupResult } from '../../index.js';
import { formatBytes, formatCount, formatNumber, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { leftOutTexts } from './left-out.js';
import { dumpText, rowsOf, tableLines, timeText, treeText, versionText } from './table.js';
import { STOPPING, type SummaryStyle, type View } from './view.js';

/** How a backup is told. */
export const backupView: View<BackupPhase, BackupResult> = {
  command: 'backup',
  phases: {
    prepare: { line: 'Preparing', name: 'prepare' },
    pack: { line: 'Packing the workspace', name: 'pack and dump' },
    dump: { line: 'Dumping the datastore', name: 'pack and dump' },
    checksums: { line: 'Writing the checksums', name: 'checksums' },
    finish: { line: 'Finishing the archive', name: 'finish' },
  },
  firstPhase: 'prepare',
  liveLine(phase, { share }) {
    // Packing and dumping overlap: once all is packed, it is the dump that is waited for.
    return backupView.phases[phase === 'dump' && share !== 1 ? 'pack' : phase].line;
  },
  stopping: () => STOPPING,
  summary: summaryLines,
  lastWord: (result, incomplete, colours) => (result.incomplete ? incompleteLine(incomplete, colours) : undefined),
};

function summaryLines(result: BackupResult, { colours, verbose, phases }: SummaryStyle): string[] {
  const rows = [
    ...rowsOf('size', [sizeText(result)]),
    ...rowsOf('workspace', [treeText(result.workspace, result.workspace.symlinks)]),
    ...rowsOf('datastore', [dumpText(result.datastore)]),
    ...rowsOf('leoflow', [versionText(result.manifest)]),
    ...rowsOf('left out', leftOutTexts(result.leftOut, verbose)),
    ...rowsOf('time', [timeText(contentBytes(result), result), ...(verbose ? [phases] : [])]),
    ...rowsOf('warnings', result.warningCount > 0 ? [formatNumber(result.warningCount)] : []),
  ];
  return [headline(result, colours), ...tableLines(rows, colours)];
}

function headline({ path, incomplete }: BackupResult, colours: Colours): string {
  const where = path === null ? 'standard output' : printable(path);
  return incomplete
    ? `${colours.yellow('Backup written, but incomplete:')} ${where}`
    : `${colours.green('Backup written:')} ${where}`;
}

function sizeText(result: BackupResult): string {
  const content = contentBytes(result);
  const ratio = result.size > 0 ? ` (${(content / result.size).toFixed(1)}:1)` : '';
  return `${formatBytes(result.size)} from ${formatBytes(content)}${ratio}`;
}

function contentBytes({ workspace, datastore }: BackupResult): number {
  return workspace.bytes + datastore.bytes;
}

/** The last word on an archive that lacks something. */
function incompleteLine(count: number, colours: Colours): string {
  const paths = count === 1 ? '1 path is' : `${formatCount(count, 'path')} are`;
  return colours.yellow(`Incomplete: ${paths} missing from the archive, or changed while being read.`);
}
