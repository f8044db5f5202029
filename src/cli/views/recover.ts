/**
 * The recovery of a restore that was broken off in its commit, for people: one line says which way it went.
 */
import type { RecoverResult, RestorePhase } from '../../index.js';
import { formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { RESTORE_PHASES, stoppingRestore } from './restore.js';
import { rowsOf, tableLines } from './table.js';
import type { View } from './view.js';

/** How a recovery is told. */
export const recoverView: View<RestorePhase, RecoverResult> = {
  command: 'recover',
  phases: { ...RESTORE_PHASES, commit: { line: 'Finishing or undoing the restore', name: 'recover' } },
  firstPhase: 'commit',
  liveLine: (phase) => recoverView.phases[phase].line,
  stopping: stoppingRestore,
  summary: (result, { colours, verbose }) => [
    outcomeLine(result, colours),
    ...tableLines(rowsOf('time', verbose ? [formatDuration(result.durationMs)] : []), colours),
  ],
  lastWord: () => undefined,
};

function outcomeLine({ outcome, home }: RecoverResult, colours: Colours): string {
  const where = printable(home);
  return outcome === 'finished'
    ? `${colours.green('Recovered:')} the restore to ${where} is finished`
    : `${colours.green('Recovered:')} the restore to ${where} is undone, everything is as it was before`;
}
