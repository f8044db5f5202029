/**
 * A setup, for people: what was made, and the one moment in which the password can be read.
 */
import type { SetupResult } from '../../index.js';
import { printable } from '../format.js';
import { startCommand } from './start-command.js';
import { rowsOf, tableLines } from './table.js';
import { STOPPING, type SummaryStyle, type View } from './view.js';

/** How a setup is told. @param home as it was named; undefined for the usual one */
export function setupView(home: string | undefined): View<'setup', SetupResult> {
  return {
    command: 'setup',
    phases: { setup: { line: 'Setting up', name: 'setup' } },
    firstPhase: 'setup',
    liveLine: () => 'Setting up',
    stopping: () => STOPPING,
    summary: (result, style) => summaryLines(result, style, startCommand(home)),
    lastWord: () => undefined,
  };
}

function summaryLines(result: SetupResult, { colours }: SummaryStyle, start: string): string[] {
  const { home, workspace, postgres, adminEmail, adminPassword, dryRun, isNew } = result;
  const rows = [
    ...rowsOf('workspace', [printable(workspace)]),
    ...rowsOf('PostgreSQL', [`${postgres.version}, ${printable(postgres.directory)}`]),
    ...rowsOf('admin', adminEmail === null ? [] : [printable(adminEmail)]),
    ...rowsOf('password', passwordTexts(result)),
    ...rowsOf(dryRun ? 'would make' : 'made', dryRun || !isNew ? result.made.map(printable) : []),
  ];
  const headline = `${colours.green(headlineText(result))} ${printable(home)}`;
  const lines = [headline, ...tableLines(rows, colours)];
  if (adminPassword !== null) lines.push('Note the password: it is not shown again, only its hash is stored.');
  if (!dryRun) lines.push(`Start it: ${colours.bold(start)}`);
  return lines;
}

function headlineText({ dryRun, isNew, made }: SetupResult): string {
  if (made.length === 0) return 'Nothing to do, everything is there:';
  if (dryRun) return 'Dry run, nothing was made:';
  return isNew ? 'Set up:' : 'Completed:';
}

function passwordTexts({ adminPassword, isNew, dryRun }: SetupResult): string[] {
  if (adminPassword !== null) return [adminPassword];
  return isNew && dryRun ? ['(one will be made, and shown once)'] : [];
}
