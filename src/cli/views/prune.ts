/**
 * A pruning, for people: a table with a line per archive, what becomes of it and why, and what was not touched.
 */
import type { ArchiveSource, KeepReason, PruneDecision, PrunePhase, PruneResult, Untouched } from '../../index.js';
import { formatBytes, formatCount, formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { columns, listed, rowsOf, tableLines } from './table.js';
import { STOPPING, type View } from './view.js';

/** What nobody expects to be counted; listed with `--verbose` only. */
const EXPECTED: ReadonlySet<Untouched['why']> = new Set(['not-an-archive', 'not-a-file', 'temporary']);
/** What must be said even with `--quiet`, and then need not be said twice. */
const WARNED: Untouched['why'] = 'damaged';

/** How pruning is told. */
export const pruneView: View<PrunePhase, PruneResult> = {
  command: 'prune',
  phases: {
    look: { line: 'Looking at the archives', name: 'look' },
    remove: { line: 'Removing', name: 'remove' },
  },
  firstPhase: 'look',
  liveLine: (phase) => pruneView.phases[phase].line,
  stopping: () => STOPPING,
  summary(result, { colours, verbose, phases }) {
    const { directory, dryRun, archives, kept, removed, durationMs } = result;
    const totals = `${extentText(kept)} kept, ${extentText(removed)} removed`;
    const head = dryRun ? colours.yellow('Dry run, nothing was changed:') : colours.green('Pruned:');
    const rows = [
      ...rowsOf('untouched', untouchedTexts(result, verbose)),
      ...rowsOf('time', verbose ? [formatDuration(durationMs), phases] : []),
    ];
    return [
      ...archiveLines(archives, colours),
      `${head} ${printable(directory)}: ${totals}`,
      ...tableLines(rows, colours),
    ];
  },
  lastWord({ directory, archives, untouched, sources }, _, colours) {
    const failed = archives.filter(({ outcome }) => outcome === 'failed');
    const damaged = untouched.filter(({ why }) => why === WARNED);
    const warning = colours.yellow('warning:');
    const lines = [
      ...(sources.length > 1 ? [`${warning} ${sourcesText(directory, sources)}`] : []),
      ...failed.map(({ name, message }) => {
        return `${colours.red('error:')} ${printable(name)} cannot be removed: ${message ?? ''}`;
      }),
      ...damaged.map(({ name, message }) => `${warning} ${printable(name)} was not touched: ${printable(message)}`),
    ];
    return lines.length > 0 ? lines.join('\n') : undefined;
  },
};

/** As many installs are named. */
const SOURCES_SHOWN = 5;

/** What is said of archives that the rules take for those of one install, and that are not. */
function sourcesText(directory: string, sources: readonly ArchiveSource[]): string {
  const names = sources.map(({ hostname, home }) => printable([home, hostname].filter(Boolean).join(' on ')));
  const shown = listed(names, names.length, SOURCES_SHOWN).join(', ');
  const advice = 'the rules count them together, so that those of one make those of another go; give each a directory';
  return `${printable(directory)} has archives of ${sources.length} installs (${shown}): ${advice}`;
}

/** Name, time and size in columns, what becomes of it, and why. */
function archiveLines(archives: readonly PruneDecision[], colours: Colours): string[] {
  const names = columns(archives.map(({ name, createdAt }) => [printable(name), timeText(createdAt)]));
  const times = Math.max(0, ...names.map(({ length }) => length));
  return archives.map((decision, index) => {
    const what = `${(names[index] ?? '').padEnd(times)}  ${formatBytes(decision.size).padStart(7)}`;
    return `${what}  ${actionText(decision, colours)}`;
  });
}

/** `2026-05-28 14:30:45` for `2026-05-28T14:30:45Z`; anything else as it stands in the manifest. */
function timeText(createdAt: string): string {
  return printable(createdAt).replace(/^(\S+)T(\S+)Z$/, '$1 $2');
}

function actionText(decision: PruneDecision, colours: Colours): string {
  const what = outcomeText(decision, colours);
  return decision.incomplete ? `${what}; ${colours.yellow('incomplete')}` : what;
}

function outcomeText({ outcome, reasons, message }: PruneDecision, colours: Colours): string {
  switch (outcome) {
    case 'kept':
      return `${colours.green('keep')}    ${reasons.map(reasonText).join(', ')}`;
    case 'removed':
      return `${colours.red('remove')}  no rule keeps it`;
    case 'gone':
      return `${colours.dim('gone')}    somebody else has removed it`;
    case 'changed':
      return `${colours.yellow('keep')}    it has changed meanwhile`;
    case 'failed':
      return `${colours.red('FAILED')}  no rule keeps it, but: ${message ?? ''}`;
  }
}

function reasonText(reason: KeepReason): string {
  if (reason.rule === 'newest') return 'newest';
  if (reason.rule === 'within') return `within ${reason.span}`;
  if (reason.rule === 'last') return `last ${reason.number}`;
  return `${reason.oldest ? 'oldest ' : ''}${reason.rule} ${reason.period}`;
}

function extentText({ archives, bytes }: { archives: number; bytes: number }): string {
  return `${formatCount(archives, 'archive')} (${formatBytes(bytes)})`;
}

function untouchedTexts({ untouched }: PruneResult, verbose: boolean): string[] {
  const rest = untouched.filter(({ why }) => why !== WARNED);
  const shown = rest.filter(({ why }) => verbose || !EXPECTED.has(why));
  const others = rest.length - shown.length;
  return [
    ...shown.map(({ name, message }) => `${printable(name)}: ${printable(message)}`),
    ...(others > 0 ? [`${formatCount(others, 'other file')}${shown.length > 0 ? ', too' : ''}`] : []),
  ];
}
