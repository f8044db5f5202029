/**
 * A restore, for people: its phases, and a summary of what is where now, what was adapted, and where the previous install lies.
 */
import type { ConfigChange, RestorePhase, RestoreResult } from '../../index.js';
import { formatDirectories, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { incompleteText } from './left-out.js';
import { startCommand } from './start-command.js';
import { dumpText, rowsOf, tableLines, timeText, treeText, versionText } from './table.js';
import { type PhaseWords, STOPPING, type SummaryStyle, type View } from './view.js';

/** A longer change takes two lines. */
const CHANGE_WIDTH = 100;

/** The phases of a restore that is meant. */
export const RESTORE_PHASES: Readonly<Record<RestorePhase, PhaseWords>> = {
  judge: { line: 'Judging the archive', name: 'judge' },
  stage: { line: 'Staging the archive', name: 'stage' },
  commit: { line: 'Putting it in place', name: 'commit' },
  finish: { line: 'Cleaning up', name: 'finish' },
};

/** Those of one that is only tried. */
const DRY_PHASES = { ...RESTORE_PHASES, stage: { line: 'Checking the archive', name: 'check' } };

/**
 * How a restore is told, or one that is only tried (`--dry-run`).
 *
 * @param options.home as it was named; undefined for the usual one
 */
export function restoreView({ dryRun, home }: { dryRun: boolean; home?: string }): View<RestorePhase, RestoreResult> {
  const phases = dryRun ? DRY_PHASES : RESTORE_PHASES;
  return {
    command: 'restore',
    phases,
    firstPhase: 'judge',
    liveLine(phase, { share, dumpBytes }) {
      // All is unpacked: it is the datastore that is waited for, which builds its indexes last.
      const replaying = phase === 'stage' && !dryRun && share === 1 && dumpBytes > 0;
      return replaying ? 'Replaying the dump' : phases[phase].line;
    },
    stopping: stoppingRestore,
    summary: (result, style) => summaryLines(result, style, startCommand(home)),
    lastWord: () => undefined,
  };
}

/** What answers a signal: once the commit has begun, a restore does not stop half-way. */
export function stoppingRestore(phase: RestorePhase): string {
  if (phase === 'commit') return 'too late to stop, finishing; once more stops at once, then --recover is needed';
  if (phase === 'finish') return 'everything is in place, finishing; once more stops at once';
  return STOPPING;
}

function summaryLines(result: RestoreResult, { colours, verbose, phases }: SummaryStyle, start: string): string[] {
  const bytes = (result.workspace?.bytes ?? 0) + (result.datastore?.bytes ?? 0);
  const rows = [
    ...rowsOf('archive', [
      `Leoflow ${versionText(result.manifest)}`,
      `backed up ${momentText(result.manifest.created_at)}`,
    ]),
    ...rowsOf('config', result.config.length > 0 ? [`${printable(result.home)}: ${result.config.join(', ')}`] : []),
    ...rowsOf('adapted', result.changes.flatMap(changeTexts)),
    ...rowsOf('workspace', workspaceTexts(result, colours)),
    ...rowsOf('datastore', datastoreTexts(result)),
    ...rowsOf('untouched', untouchedTexts(result)),
    ...rowsOf(result.dryRun ? 'replaces' : 'previous', previousTexts(result)),
    ...rowsOf(result.dryRun ? 'removes' : 'removed', result.discarded.map(printable)),
    ...rowsOf('time', [timeText(bytes, result), ...(verbose ? [phases] : [])]),
  ];
  return [headline(result, colours), ...tableLines(rows, colours), ...advice(result, colours, start)];
}

function headline({ dryRun, home }: RestoreResult, colours: Colours): string {
  if (!dryRun) return `${colours.green('Restored:')} ${printable(home)}`;
  return `${colours.green('Dry run, nothing was changed:')} the archive is whole, and a restore to ${printable(home)} would do this`;
}

/** `2026-05-28 14:30:45 UTC`; what is no such moment, as it stands. */
function momentText(createdAt: string): string {
  return printable(createdAt.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$/, '$1 $2 UTC'));
}

/** A change on one line, or on two where it is long. */
function changeTexts({ file, key, from, to }: ConfigChange): string[] {
  const old = `${file}: ${printable(key)} ${from === '' ? '(none)' : printable(from)}`;
  const now = `→ ${printable(to)}`;
  return old.length + now.length < CHANGE_WIDTH ? [`${old} ${now}`] : [old, `  ${now}`];
}

function workspaceTexts({ workspace, incomplete, carriedOver }: RestoreResult, colours: Colours): string[] {
  if (workspace === null) return [];
  const texts = [treeText(workspace, workspace.links)];
  if (incomplete) texts.push(colours.yellow(`incomplete, as it was backed up: ${incompleteText(incomplete)}`));
  if (carriedOver > 0) {
    texts.push(`carried over from the previous one: ${formatDirectories(carriedOver)} (.git, .venv …)`);
  }
  return texts;
}

function datastoreTexts({ datastore, dryRun }: RestoreResult): string[] {
  if (datastore === null) return [];
  const texts = [dumpText(datastore)];
  const [did, was] = dryRun ? ['does', 'would be'] : ['did', 'was'];
  if (datastore.cluster === 'started') {
    texts.push(`it ${dryRun ? 'is' : 'was'} not running, and ${was} started for the restore only`);
  }
  if (datastore.cluster === 'provisioned') texts.push(`it ${did} not exist, and ${was} made`);
  if (datastore.inPlace) {
    texts.push(
      `its role may not create databases: the content of the live one ${was} replaced, and ${dryRun ? 'not' : 'is not'} kept`,
    );
  }
  return texts;
}

function untouchedTexts({ parts }: RestoreResult): string[] {
  const others = (['config', 'workspace', 'datastore'] as const).filter((part) => !parts.includes(part));
  return others.length > 0 ? [others.join(', ')] : [];
}

function previousTexts({ previous, dryRun }: RestoreResult): string[] {
  return previous.map(({ what, where }) => printable(dryRun ? what : where));
}

function advice({ dryRun, previous, datastore }: RestoreResult, colours: Colours, start: string): string[] {
  if (dryRun) return [];
  const lines = [startText(datastore, colours.bold(start))];
  if (previous.length > 0) {
    lines.push(
      'What was replaced is kept as listed; removing it frees the space (--discard-previous does so at once).',
    );
  }
  return lines;
}

/** Whoever has a datastore running has Leoflow running, too, with what it read before. */
function startText(datastore: RestoreResult['datastore'], start: string): string {
  switch (datastore?.cluster) {
    case 'started':
    case 'provisioned':
      return `Start it: ${start}`;
    case 'running':
      return `Stop Leoflow where it runs, and start it again: ${start}`;
    // Whose server that is, and what runs on it, is not for us to know.
    case 'external':
      return 'Where Leoflow runs on this datastore, start it again.';
    default:
      return `Start it, or where it runs, start it again: ${start}`;
  }
}
