/**
 * An archive under inspection, for people: what it is, what takes the room, what is not in it, and what stands in the way of a restore.
 */
import type { InspectPhase, InspectResult, Manifest } from '../../index.js';
import { formatBytes, formatCount, formatDirectories, formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { incompleteText, leftOutTexts } from './left-out.js';
import { readText } from './list.js';
import { columns, type Row, rowsOf, tableLines, versionText } from './table.js';
import { STOPPING, type SummaryStyle, type View } from './view.js';

type Outlook = InspectResult['outlook'];

/** How an inspection is told. @param style `bars`: whether sizes are drawn, too */
export function inspectView({ bars }: { bars: boolean }): View<InspectPhase, InspectResult> {
  const view: View<InspectPhase, InspectResult> = {
    command: 'inspect',
    phases: {
      read: { line: 'Reading the archive', name: 'read' },
      judge: { line: 'Looking at what is here', name: 'judge' },
    },
    firstPhase: 'read',
    liveLine: (phase) => view.phases[phase].line,
    stopping: () => STOPPING,
    summary: (result, style) => summaryLines(result, style, bars),
    lastWord: () => undefined,
  };
  return view;
}

function summaryLines(result: InspectResult, { colours, verbose, phases }: SummaryStyle, bars: boolean): string[] {
  const { archive, manifest, workspace, largest, leftOut, incomplete, outlook } = result;
  const bar = bars ? (share: number) => barText(share, colours) : null;
  const { files, directories, links, bytes } = workspace;
  const counts = [formatCount(files, 'file'), formatDirectories(directories), formatCount(links, 'link')];
  const rows = [
    ...rowsOf('size', [sizeText(result)]),
    ...manifestRows(manifest),
    ...rowsOf('parts', partTexts(result, bar)),
    ...rowsOf('workspace', [`${counts.join(', ')}, ${formatBytes(bytes)}`]),
    ...rowsOf('top dirs', largeTexts(largest.directories, bytes, bar)),
    ...rowsOf('top files', largeTexts(largest.files, bytes, bar)),
    ...rowsOf('left out', leftOut === null ? ['the archive does not say'] : leftOutTexts(leftOut, verbose, 'nothing')),
    ...rowsOf('complete', incomplete ? [colours.yellow(`no: ${incompleteText(incomplete)}`)] : []),
    ...rowsOf('schema', [schemaText(outlook)]),
    ...rowsOf('postgres', [postgresText(outlook)]),
    ...rowsOf('restore', restoreTexts(outlook, colours)),
    ...rowsOf('time', verbose ? [formatDuration(result.durationMs), phases] : []),
  ];
  const name = archive === null ? 'standard input' : printable(archive);
  return [`${colours.bold('Archive:')} ${name}`, ...tableLines(rows, colours)];
}

function sizeText(result: InspectResult): string {
  const { size, members, source } = result;
  const kind = members === null ? 'one gzip stream' : formatCount(members, 'member');
  return `${formatBytes(size)}, ${kind}; ${source === 'index' ? readText(result) : 'all of it read, as it has no index'}`;
}

/** Fields that have rows of their own, or are only about the format. */
const SHOWN = new Set(['leoflow_version', 'schema_version', 'postgres_version', 'created_at', 'writer', 'source']);

function manifestRows(manifest: Manifest): Row[] {
  const { created_at, writer, source, datastore } = manifest;
  const parts = (fields: object | undefined) =>
    Object.entries(fields ?? {}).map(([key, value]) => `${printable(key.replaceAll('_', ' '))} ${valueText(value)}`);
  const others = Object.entries(manifest).filter(([key]) => !SHOWN.has(key) && key !== 'datastore');
  return [
    ...rowsOf('made', [printable(writer === undefined ? created_at : `${created_at} by ${writer}`)]),
    ...rowsOf('leoflow', [versionText(manifest)]),
    ...rowsOf('from', parts(source)),
    ...rowsOf('datastore', datastore === undefined ? [] : [parts(datastore).join(', ')]),
    ...rowsOf('manifest', [parts(Object.fromEntries(others)).join(', ')]),
  ];
}

/** What a manifest says somewhere; it may say anything. */
function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[…]' : '{…}';
  const text = printable(String(value));
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

type Bar = ((share: number) => string) | null;

function partTexts({ parts, size }: InspectResult, bar: Bar): string[] {
  const content = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  return columns(
    parts.map(({ name, bytes, compressed }) => {
      const share = compressed === null ? bytes / content : compressed / size;
      const inArchive = compressed === null ? '' : `, ${formatBytes(compressed)} in the archive`;
      return [name, drawn(`${formatBytes(bytes).padStart(SIZE_WIDTH)}${inArchive}`, share, bar, 36)];
    }),
  );
}

/** Room for `1.23 GB`. */
const SIZE_WIDTH = 7;

function largeTexts(found: InspectResult['largest']['files'], all: number, bar: Bar): string[] {
  return found.map(({ name, bytes, files }) => {
    const size = drawn(`${formatBytes(bytes).padStart(SIZE_WIDTH)} ${percent(bytes / all)}`, bytes / all, bar, 12);
    const count = name.endsWith('/') ? ` (${formatCount(files, 'file')})` : '';
    return `${size}  ${printable(name)}${count}`;
  });
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`.padStart(4);
}

/** A text with a bar behind it, where there are bars. */
function drawn(text: string, share: number, bar: Bar, width: number): string {
  return bar === null ? text : `${text.padEnd(width)} ${bar(share)}`;
}

const CELLS = 20;

function barText(share: number, colours: Colours): string {
  const full = Math.min(CELLS, Math.max(0, Math.round(share * CELLS)));
  return `[${colours.cyan('#'.repeat(full))}${colours.dim('-'.repeat(CELLS - full))}]`;
}

function schemaText({ schema }: Outlook): string {
  const { archive, supported } = schema;
  if (supported === null) return `${archive} in the archive`;
  return `${archive} in the archive, up to ${supported.version} can be restored here (${printable(supported.source)})`;
}

function postgresText({ postgres }: Outlook): string {
  const { dump, server, state } = postgres;
  const own = `dump of ${dump === null ? 'a server that it does not name' : `PostgreSQL ${printable(dump)}`}`;
  const version = server === null ? 'PostgreSQL' : `PostgreSQL ${printable(server)}`;
  const words = {
    running: `${version} runs here`,
    external: `${version} at the address given`,
    stopped: `${version} here is not running`,
    absent: server === null ? 'no server here' : `no server here; one of ${version} could be made`,
  };
  return `${own}; ${state === null ? 'no server here that could be asked' : words[state]}`;
}

function restoreTexts({ restorable, obstacles, home, workspace }: Outlook, colours: Colours): string[] {
  const to = home === null ? 'here' : `to ${printable(home)}`;
  const place = workspace === null ? '' : `, workspace ${printable(workspace)}`;
  const verdict = {
    yes: colours.green(`can be restored ${to}${place}`),
    'with-force': colours.yellow(`can be restored ${to} with --force only${place}`),
    no: colours.red(`cannot be restored ${to}`),
  }[restorable];
  return [verdict, ...obstacles.map(({ message }) => `- ${printable(message)}`)];
}
