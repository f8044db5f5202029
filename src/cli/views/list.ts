/**
 * Entries of an archive, for people: a name per line, and with `--long` what `tar tv` shows of it.
 */
import type { ContentsEntry, ListPhase, ListResult } from '../../index.js';
import { formatBytes, formatCount, formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { STOPPING, type View } from './view.js';

/** How an entry is written. */
export interface NameStyle {
  long: boolean;
  /** Ended by a NUL, and as it is; otherwise by a line feed, and what would break a line or steer a terminal is escaped. */
  isNull: boolean;
}

/** How listing is told, but for the entries themselves. */
export const listView: View<ListPhase, ListResult> = {
  command: 'list',
  phases: { list: { line: 'Reading the archive', name: 'list' } },
  firstPhase: 'list',
  liveLine: () => 'Reading the archive',
  stopping: () => STOPPING,
  summary: (result, { verbose }) => (verbose ? [summaryLine(result)] : []),
  lastWord: ({ unmatched }, _, colours) => (unmatched.length === 0 ? undefined : unmatchedText(unmatched, colours)),
};

function summaryLine(result: ListResult): string {
  const { entries, bytes } = result;
  return `${formatCount(entries, 'entry', 'entries')}, ${formatBytes(bytes)}; ${readText(result)}, ${formatDuration(result.durationMs)}`;
}

/** How much of an archive had to be read: `3.21 MB of 2.05 GB read`. */
export function readText({ bytesRead, size }: Pick<ListResult, 'bytesRead' | 'size'>): string {
  return `${formatBytes(Math.min(bytesRead, size))} of ${formatBytes(size)} read`;
}

/** What is said of patterns that chose nothing. */
export function unmatchedText(patterns: readonly string[], colours: Colours): string {
  const lines = patterns.map(
    (pattern) => `${colours.red('error:')} nothing in the archive is called '${printable(pattern)}'`,
  );
  const hint = "names are as list prints them: 'workspace/dags/', 'workspace/**/*.py'";
  return [...lines, `${colours.bold('hint:')} ${hint}`].join('\n');
}

/** An entry as it is written, with its end. */
export function nameText(entry: ContentsEntry, { long, isNull }: NameStyle): string {
  const text = isNull ? entry.name : printable(entry.name);
  const end = isNull ? '\0' : '\n';
  if (!long) return text + end;
  const link = entry.link === null ? '' : isNull ? entry.link : printable(entry.link);
  const arrow = entry.kind === 'symlink' ? ` -> ${link}` : entry.link === null ? '' : ` link to ${link}`;
  return `${modeText(entry)} ${String(entry.size).padStart(SIZE_WIDTH)} ${timeText(entry.mtime)} ${text}${arrow}${end}`;
}

/** Room for sizes up to a TB. */
const SIZE_WIDTH = 12;
const TYPES = { file: '-', directory: 'd', symlink: 'l' } as const;

/** `-rwxr-xr-x`, with setuid, setgid and sticky as `ls` shows them. */
function modeText({ kind, mode }: ContentsEntry): string {
  const bits = [...'rwxrwxrwx'].map((letter, at) => (mode & (0o400 >> at) ? letter : '-'));
  for (const [bit, at, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const) {
    if (mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  }
  return TYPES[kind] + bits.join('');
}

/** `2026-05-28 14:30`, in the time of this place, as `tar` and `ls` show it. */
function timeText(mtime: number): string {
  const time = new Date(mtime * 1000);
  if (Number.isNaN(time.getTime())) return `@${mtime}`.padStart(16);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [String(time.getFullYear()).padStart(4, '0'), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
