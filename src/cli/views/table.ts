/**
 * Summaries are a headline and a table: a row per subject, its label in front. Here are the table and the rows that several of them have.
 */
import type { Manifest } from '../../index.js';
import { formatBytes, formatCount, formatDirectories, formatDuration, formatRate, printable } from '../format.js';
import type { Colours } from '../streams.js';

/** A row; without a label it goes on with the subject of the row above. */
export type Row = readonly [label: string, text: string];

/** Room for the longest label. */
const LABEL_WIDTH = 10;

/** The lines of a table. */
export function tableLines(rows: readonly Row[], colours: Colours): string[] {
  return rows.map(([label, text]) => `  ${colours.dim(label.padEnd(LABEL_WIDTH))} ${text}`);
}

/** Rows of one subject; none where there is nothing to say of it. */
export function rowsOf(label: string, texts: readonly string[]): Row[] {
  return texts.map((text, index) => [index === 0 ? label : '', text]);
}

/** The first of so many, and how many there are beside: at least, where no more than `counted` were counted. */
export function listed(texts: readonly string[], count: number, most: number, counted = Infinity): string[] {
  const shown = texts.slice(0, most);
  const atLeast = count >= counted ? 'at least ' : '';
  return count > shown.length
    ? [...shown, `and ${atLeast}${formatCount(count - shown.length, 'more', 'more')}`]
    : shown;
}

/** Names in a column of their own, each with what is said of it. They must be printable. */
export function columns(pairs: readonly (readonly [name: string, text: string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

/** Which Leoflow an archive belongs to: `v0.0.1-prealpha.20, schema 15, PostgreSQL 16.13`. */
export function versionText(manifest: Manifest): string {
  const version = manifest.leoflow_version === 'unknown' ? 'version unknown' : manifest.leoflow_version;
  const parts = [version, `schema ${manifest.schema_version}`];
  const postgres = manifest.postgres_version?.replace(/^postgres \(PostgreSQL\) /, '');
  if (postgres !== undefined) parts.push(`PostgreSQL ${postgres}`);
  return printable(parts.join(', '));
}

/** How long so many bytes took: `8.2 s, 236 MB/s, 2 workers`. */
export function timeText(bytes: number, { durationMs, workers }: { durationMs: number; workers: number }): string {
  const rate = durationMs > 0 && bytes > 0 ? `, ${formatRate((bytes * 1000) / durationMs)}` : '';
  return `${formatDuration(durationMs)}${rate}, ${formatCount(workers, 'worker')}`;
}

/** A workspace and what is in it: `/home/alice/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB`. */
export function treeText(
  { path, files, directories, bytes }: { path: string; files: number; directories: number; bytes: number },
  links: number,
): string {
  const parts = [
    formatCount(files, 'file'),
    formatDirectories(directories),
    formatCount(links, 'link'),
    formatBytes(bytes),
  ];
  return `${printable(path)}: ${parts.join(', ')}`;
}

/** A datastore and its dump: `/home/alice/.leoflow/pgdata/.s.PGSQL.5432, dump of 212 MB`. */
export function dumpText({ source, bytes }: { source: string; bytes: number }): string {
  return `${printable(source)}, dump of ${formatBytes(bytes)}`;
}
