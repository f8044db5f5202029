/**
 * A backup, for people: its phases, and a summary of what is in the archive and what is not.
 */
import type { BackupPhase, BackupResult } from '../../index.js';
import type { Failure } from '../exit.js';
import { formatBytes, formatNumber, printable } from '../format.js';
import { failureText, WARNINGS_SHOWN, warningLine } from '../reporters/messages.js';
import { type Colours, NO_COLOURS } from '../streams.js';
import { incompleteText, leftOutTexts } from './left-out.js';
import { dumpText, type Row, rowsOf, tableLines, timeText, treeText, versionText } from './table.js';
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

/** A backup in plain text, for whoever is told of it by a message. */
export const backupMessage = {
  result(result: BackupResult, status: number): string {
    const lines = summaryLines(result, { colours: NO_COLOURS, verbose: false, phases: '' });
    const warnings = result.warnings.slice(0, WARNINGS_SHOWN).map((warning) => warningLine(warning, NO_COLOURS));
    return [...lines, ...warnings, `exit status ${status}`, ''].join('\n');
  },
  failure: (failure: Failure): string => `${failureText(failure, NO_COLOURS)}exit status ${failure.status}\n`,
};

function summaryLines(result: BackupResult, { colours, verbose, phases }: SummaryStyle): string[] {
  return [headline(result, colours), ...tableLines(backupRows(result, { verbose, phases }), colours)];
}

/** What is in the archive and what is not, as the rows of a table. */
export function backupRows(
  result: BackupResult,
  { verbose, phases }: Pick<SummaryStyle, 'verbose' | 'phases'> = { verbose: false, phases: '' },
): Row[] {
  return [
    ...rowsOf('size', [sizeText(result)]),
    ...rowsOf('workspace', [treeText(result.workspace, result.workspace.symlinks)]),
    ...rowsOf('datastore', datastoreTexts(result)),
    ...rowsOf('leoflow', [versionText(result.manifest)]),
    ...rowsOf('left out', leftOutTexts(result.leftOut, verbose)),
    ...rowsOf('time', [timeText(contentBytes(result), result), ...(verbose ? [phases] : [])]),
    ...rowsOf('warnings', result.warningCount > 0 ? [formatNumber(result.warningCount)] : []),
  ];
}

function headline(result: BackupResult, colours: Colours): string {
  const where = result.path === null ? 'standard output' : printable(result.path);
  const colour = result.incomplete ? colours.yellow : colours.green;
  return `${colour(`${backupHeadline(result)}:`)} ${where}`;
}

/** What was done, in a few words. */
export function backupHeadline({ incomplete }: BackupResult): string {
  return incomplete ? 'Backup written, but incomplete' : 'Backup written';
}

function datastoreTexts({ datastore }: BackupResult): string[] {
  const wasStarted = datastore.cluster === 'started';
  return [dumpText(datastore), ...(wasStarted ? ['it was not running, and was started for the backup only'] : [])];
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
  return colours.yellow(`Incomplete: ${incompleteText(count)}.`);
}
