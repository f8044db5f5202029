/**
 * Verifying, for people: a line for each archive that is good, some more for each that is not.
 */
import type { Verdict, VerifyPhase, VerifyResult } from '../../index.js';
import { formatBytes, formatCount, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { incompleteText } from './left-out.js';
import { listed, rowsOf, tableLines, timeText } from './table.js';
import { STOPPING, type View } from './view.js';

/** As many damaged entries are listed without `--verbose`. */
const ENTRIES_SHOWN = 10;
/** From here on there may be more than were counted. */
const ENTRIES_COUNTED = 10_000;
/** And problems. */
const PROBLEMS_SHOWN = 5;

const WORDS: Readonly<Record<Verdict['verdict'], string>> = {
  good: 'good',
  damaged: 'DAMAGED',
  'not-an-archive': 'NOT AN ARCHIVE',
  refused: 'REFUSED',
};

/** How verifying is told. */
export const verifyView: View<VerifyPhase, VerifyResult> = {
  command: 'verify',
  phases: {
    check: { line: 'Checking', name: 'check' },
    examine: { line: 'Looking for what is damaged', name: 'examine' },
  },
  firstPhase: 'check',
  liveLine: (phase) => verifyView.phases[phase].line,
  stopping: () => STOPPING,
  part(event, { colours, verbose }) {
    if (event.type !== 'verdict') return { lines: [], isBad: false };
    const { verdict } = event;
    const isBad = verdict.verdict !== 'good';
    return { lines: isBad ? badLines(verdict, verbose, colours) : [goodLine(verdict, colours)], isBad };
  },
  summary: ({ verdicts, durationMs, workers }, { colours, verbose, phases }) => {
    const good = verdicts.filter(({ verdict }) => verdict === 'good');
    const bytes = verdicts.reduce((sum, { bytes, dumpBytes }) => sum + bytes + dumpBytes, 0);
    const all = `${formatCount(good.length, 'archive')} of ${verdicts.length} good`;
    const count = good.length === verdicts.length ? colours.green(all) : colours.red(all);
    const time = rowsOf('time', [timeText(bytes, { durationMs, workers }), ...(verbose ? [phases] : [])]);
    return [count, ...tableLines(time, colours)];
  },
  lastWord: () => undefined,
};

function nameOf({ archive }: Verdict): string {
  return archive === null ? 'standard input' : printable(archive);
}

function goodLine(verdict: Verdict, colours: Colours): string {
  const { files, dumpBytes, bytes, checksums, replayed, incomplete } = verdict;
  const parts = [`${formatCount(files, 'file')} of ${formatBytes(bytes)}`, `dump of ${formatBytes(dumpBytes)}`];
  if (!checksums) parts.push('no checksums in it to compare: CRCs and structure are right');
  if (replayed !== null) {
    const { tables, rows, server } = replayed;
    parts.push(`replayed: ${formatCount(tables, 'table')}, ${formatCount(rows, 'row')} (${printable(server)})`);
  }
  const line = `${colours.green(WORDS.good)}: ${nameOf(verdict)}: ${parts.join(', ')}`;
  return incomplete ? `${line}; ${colours.yellow(`incomplete: ${incompleteText(incomplete)}`)}` : line;
}

function badLines(verdict: Verdict, verbose: boolean, colours: Colours): string[] {
  const { problems, problemCount, entries, entryCount } = verdict;
  const rows = [
    ...rowsOf(
      'why',
      listed(
        problems.map(({ message }) => printable(message.replace(/^the archive is damaged: /, ''))),
        problemCount,
        verbose ? problems.length : PROBLEMS_SHOWN,
      ),
    ),
    ...rowsOf(
      'entries',
      listed(
        entries.map(({ name, what }) => `${printable(name)} ${what}`),
        entryCount,
        verbose ? entries.length : ENTRIES_SHOWN,
        ENTRIES_COUNTED,
      ),
    ),
  ];
  return [`${colours.red(WORDS[verdict.verdict])}: ${nameOf(verdict)}`, ...tableLines(rows, colours)];
}
