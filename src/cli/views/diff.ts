/**
 * A comparison, for people: a line per difference, and how many there are.
 */
import type { Difference, DiffPhase, DiffResult, PartDifferences } from '../../index.js';
import { formatCount, formatDuration, formatNumber, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { rowsOf, tableLines } from './table.js';
import { STOPPING, type View } from './view.js';

/** How a comparison is told. */
export const diffView: View<DiffPhase, DiffResult> = {
  command: 'diff',
  phases: {
    read: { line: 'Reading the archive', name: 'read' },
    workspace: { line: 'Comparing the workspaces', name: 'workspace' },
    datastore: { line: 'Comparing the datastores', name: 'datastore' },
  },
  firstPhase: 'workspace',
  liveLine: (phase) => diffView.phases[phase].line,
  stopping: () => STOPPING,
  part(event, { colours }) {
    const lines = event.type === 'difference' ? [differenceLine(event.difference, colours)] : [];
    return { lines, isBad: false };
  },
  summary(result, { colours, verbose, phases }) {
    const { config, workspace, datastore, uncompared } = result;
    const rows = [
      ...rowsOf('config', partTexts(config, 'key')),
      ...rowsOf('workspace', partTexts(workspace, 'entry', 'entries')),
      ...rowsOf('datastore', partTexts(datastore, 'table')),
      ...rowsOf('uncompared', uncompared > 0 ? [formatCount(uncompared, 'entry', 'entries')] : []),
      ...rowsOf('time', [formatDuration(result.durationMs), ...(verbose ? [phases] : [])]),
    ];
    const names = `${printable(result.from)} → ${printable(result.to)}`;
    return [`${headline(result, colours)} ${names}`, ...tableLines(rows, colours)];
  },
  lastWord: () => undefined,
};

function headline({ differs, uncompared }: DiffResult, colours: Colours): string {
  if (differs) return colours.yellow('Different:');
  return uncompared > 0 ? colours.yellow('No difference found, but not all was compared:') : colours.green('The same:');
}

const SIGNS = { added: '+', removed: '-', changed: 'M' } as const;

function differenceLine(difference: Difference, colours: Colours): string {
  const { change } = difference;
  const colour = { added: colours.green, removed: colours.red, changed: colours.yellow }[change];
  return colour(`${SIGNS[change]} ${nameOf(difference)}`);
}

function nameOf(difference: Difference): string {
  if (difference.part === 'config') {
    const { file, key } = difference;
    return key === null ? file : `${file}: ${printable(key)}`;
  }
  if (difference.part === 'workspace') {
    const { path, kind, aspects } = difference;
    const name = `workspace/${printable(path)}${kind === 'directory' && path !== '' ? '/' : ''}`;
    return aspects.length === 0 ? name : `${name} (${aspects.join(', ')})`;
  }
  const { table, rowsFrom, rowsTo } = difference;
  const rows = [rowsFrom, rowsTo].flatMap((count) => (count === null ? [] : [formatNumber(count)]));
  return `table ${printable(table)}: ${rows.join(' → ')} ${rowsTo === 1 || (rowsTo === null && rowsFrom === 1) ? 'row' : 'rows'}`;
}

function partTexts(part: PartDifferences | null, one: string, many?: string): string[] {
  if (part === null) return ['not compared'];
  const { added, removed, changed, same } = part;
  return [
    `${formatNumber(added)} added, ${formatNumber(removed)} removed, ${formatNumber(changed)} changed, ${formatCount(same, one, many)} the same`,
  ];
}
