/**
 * GitHub Actions: a summary for the page of the run, and outputs for the steps that follow, appended to the files that the runner names.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import type { BackupResult, Warning } from '../../index.js';
import type { Failure } from '../exit.js';
import { formatCount, printable, printableLines } from '../format.js';
import { environmentValue, type Surroundings } from '../streams.js';
import { backupHeadline, backupRows } from '../views/backup.js';
import type { Listener, ListenerWarning } from './listener.js';
import { escapeMarkdown, markdownTable } from './markdown.js';

/** As many warnings are listed. */
const WARNINGS_SHOWN = 20;
/** Appends, and does not wait for a reader where it is no file. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Tells GitHub Actions of a backup; does nothing where the variables are not set. */
export class GithubActions implements Listener<BackupResult> {
  readonly #env: Surroundings['env'];
  readonly #warn: (warning: ListenerWarning) => void;

  constructor(env: Surroundings['env'], warn: (warning: ListenerWarning) => void) {
    this.#env = env;
    this.#warn = warn;
  }

  async done(result: BackupResult): Promise<void> {
    this.#append('GITHUB_STEP_SUMMARY', backupSummary(result));
    this.#append(
      'GITHUB_OUTPUT',
      [
        output('archive', result.path ?? ''),
        output('size', String(result.size)),
        output('files', String(result.workspace.files)),
        output('incomplete', String(result.incomplete)),
      ].join(''),
    );
  }

  async failed(failure: Failure): Promise<void> {
    this.#append('GITHUB_STEP_SUMMARY', failureSummary(failure));
  }

  #append(variable: 'GITHUB_STEP_SUMMARY' | 'GITHUB_OUTPUT', text: string): void {
    const path = environmentValue(this.#env, variable);
    if (path === undefined) return;
    try {
      const file = openSync(path, APPEND);
      try {
        writeFileSync(file, text);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'it failed';
      this.#warn({
        code: 'report',
        path,
        message: `cannot be written, as ${variable} asks for (${why})`,
        incomplete: false,
      });
    }
  }
}

function backupSummary(result: BackupResult): string {
  const rows = [...(result.path === null ? [] : [['archive', printable(result.path)] as const]), ...backupRows(result)];
  return text([`### ${backupHeadline(result)}`, '', ...markdownTable(rows), ...warningList(result)]);
}

function warningList({ warnings, warningCount }: BackupResult): string[] {
  if (warningCount === 0) return [];
  const shown = warnings.slice(0, WARNINGS_SHOWN);
  const more = warningCount - shown.length;
  return ['', ...shown.map(warningItem), ...(more > 0 ? [`- and ${formatCount(more, 'more warning')}`] : [])];
}

function warningItem({ path, message }: Warning): string {
  return `- ${escapeMarkdown(printable(path))}: ${escapeMarkdown(printableLines(message))}`;
}

function failureSummary({ code, message, hint, status }: Failure): string {
  return text([
    '### Backup failed',
    '',
    `**${escapeMarkdown(code)}**: ${escapeMarkdown(printableLines(message))}`,
    ...(hint === null ? [] : ['', `Hint: ${escapeMarkdown(printableLines(hint))}`]),
    '',
    `Exit status ${status}.`,
  ]);
}

/** What others have appended before may lack its last line break, and what others append must not become part of a table. */
function text(lines: readonly string[]): string {
  return `\n${lines.join('\n')}\n\n`;
}

/** One output. A value with line breaks stands between two lines that nobody can guess. */
function output(name: string, value: string): string {
  if (!/[\r\n]/.test(value)) return `${name}=${value}\n`;
  const delimiter = `ghadelimiter_${randomUUID()}`;
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`;
}
