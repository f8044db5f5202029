/**
 * An extraction, for people: how much it was, what is new, and what was replaced.
 */
import type { ExtractPhase, ExtractResult } from '../../index.js';
import { formatBytes, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { listed, rowsOf, tableLines, timeText, treeText } from './table.js';
import { type PhaseWords, STOPPING, type SummaryStyle, type View } from './view.js';

/** As many paths are listed without `--verbose`. */
const PATHS_SHOWN = 10;

const PHASES: Readonly<Record<ExtractPhase, PhaseWords>> = {
  find: { line: 'Looking for what is wanted', name: 'find' },
  stage: { line: 'Staging it', name: 'stage' },
  place: { line: 'Putting it in place', name: 'place' },
};

/** Those of one that is only tried. */
const DRY_PHASES = { ...PHASES, stage: { line: 'Checking it', name: 'check' } };

/** How an extraction is told, or one that is only tried (`--dry-run`). */
export function extractView({ dryRun }: { dryRun: boolean }): View<ExtractPhase, ExtractResult> {
  const phases = dryRun ? DRY_PHASES : PHASES;
  return {
    command: 'extract',
    phases,
    firstPhase: 'find',
    liveLine: (phase) => phases[phase].line,
    stopping: (phase) =>
      phase === 'place'
        ? 'too late to stop, finishing; once more stops at once, and the next extraction undoes it'
        : STOPPING,
    summary: summaryLines,
    lastWord: () => undefined,
  };
}

function summaryLines(result: ExtractResult, { colours, verbose, phases }: SummaryStyle): string[] {
  const { made, madeCount, replaced, checksums, bytesRead, size, bytes } = result;
  const shown = verbose ? made.length : PATHS_SHOWN;
  const rows = [
    ...rowsOf('new', listed(made.map(printable), madeCount, shown)),
    ...rowsOf(
      result.dryRun ? 'replaces' : 'previous',
      listed(
        replaced.map(({ where }) => printable(where)),
        replaced.length,
        verbose ? replaced.length : PATHS_SHOWN,
      ),
    ),
    ...rowsOf('checksums', checksums ? [] : ['none in the archive to compare: CRCs and structure are right']),
    ...rowsOf('read', [`${formatBytes(Math.min(bytesRead, size))} of ${formatBytes(size)}`]),
    ...rowsOf('time', [timeText(bytes, result), ...(verbose ? [phases] : [])]),
  ];
  return [headline(result, colours), ...tableLines(rows, colours)];
}

function headline(result: ExtractResult, colours: Colours): string {
  const what = treeText({ ...result, path: result.to }, result.links);
  return result.dryRun
    ? `${colours.green('Dry run, nothing was changed:')} this would be extracted to ${what}`
    : `${colours.green('Extracted')} to ${what}`;
}
