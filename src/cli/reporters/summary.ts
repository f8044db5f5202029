/**
 * What a backup did, for people: a headline, and a table of one line per subject.
 */
import type { BackupResult, LeftOut } from '../../index.js';
import {
  formatBytes,
  formatCount,
  formatDirectories,
  formatDuration,
  formatNumber,
  formatRate,
  printable,
} from '../format.js';
import type { Colours } from '../streams.js';

/** As many rules are listed without `--verbose`. */
const RULES_SHOWN = 10;

/** What the summary depends on besides the result. */
export interface SummaryStyle {
  colours: Colours;
  verbose: boolean;
  /** The time of each phase, in words; only with `--verbose`. */
  phases: string;
}

/** The lines of the summary. */
export function summaryLines(result: BackupResult, { colours, verbose, phases }: SummaryStyle): string[] {
  const rows: [label: string, text: string][] = [
    ['size', sizeText(result)],
    ['workspace', workspaceText(result)],
    ['datastore', `${printable(result.datastore.source)}, dump of ${formatBytes(result.datastore.bytes)}`],
    ['leoflow', versionText(result)],
    ...leftOutRows(result.leftOut, verbose),
    ['time', timeText(result)],
  ];
  if (verbose) rows.push(['', phases]);
  if (result.warningCount > 0) rows.push(['warnings', formatNumber(result.warningCount)]);
  return [headline(result, colours), ...rows.map(([label, text]) => `  ${colours.dim(label.padEnd(10))} ${text}`)];
}

function headline({ path, incomplete }: BackupResult, colours: Colours): string {
  const where = path === null ? 'standard output' : printable(path);
  return incomplete
    ? `${colours.yellow('Backup written, but incomplete:')} ${where}`
    : `${colours.green('Backup written:')} ${where}`;
}

function sizeText({ size, workspace, datastore }: BackupResult): string {
  const content = workspace.bytes + datastore.bytes;
  const ratio = size > 0 ? ` (${(content / size).toFixed(1)}:1)` : '';
  return `${formatBytes(size)} from ${formatBytes(content)}${ratio}`;
}

function workspaceText({ workspace }: BackupResult): string {
  const parts = [
    formatCount(workspace.files, 'file'),
    formatDirectories(workspace.directories),
    formatCount(workspace.symlinks, 'link'),
    formatBytes(workspace.bytes),
  ];
  return `${printable(workspace.path)}: ${parts.join(', ')}`;
}

function versionText({ manifest }: BackupResult): string {
  const version = manifest.leoflow_version === 'unknown' ? 'version unknown' : manifest.leoflow_version;
  const parts = [version, `schema ${manifest.schema_version}`];
  const postgres = manifest.postgres_version?.replace(/^postgres \(PostgreSQL\) /, '');
  if (postgres !== undefined) parts.push(`PostgreSQL ${postgres}`);
  return printable(parts.join(', '));
}

function timeText({ workspace, datastore, durationMs, workers }: BackupResult): string {
  const rate = durationMs > 0 ? `, ${formatRate(((workspace.bytes + datastore.bytes) * 1000) / durationMs)}` : '';
  return `${formatDuration(durationMs)}${rate}, ${formatCount(workers, 'worker')}`;
}

function leftOutRows(leftOut: readonly LeftOut[], verbose: boolean): [string, string][] {
  if (leftOut.length === 0) return [];
  const shown = verbose ? leftOut : leftOut.slice(0, RULES_SHOWN);
  const names = shown.map((rule) => printable(rule.rule));
  const width = Math.max(...names.map((name) => name.length));
  const texts = shown.map((rule, index) => `${(names[index] ?? '').padEnd(width)}  ${amountText(rule)}`);
  const hidden = leftOut.length - shown.length;
  if (hidden > 0) texts.push(`and ${formatCount(hidden, 'more rule')}; --verbose lists all`);
  return texts.map((text, index) => [index === 0 ? 'left out' : '', text]);
}

function amountText({ directories, files }: LeftOut): string {
  const parts: string[] = [];
  if (directories > 0) parts.push(formatDirectories(directories));
  if (files > 0) parts.push(formatCount(files, 'file'));
  return parts.join(', ');
}
