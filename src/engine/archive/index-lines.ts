/**
 * `INDEX.jsonl`: what is in an archive and where, one line of JSON each, so that a reader knows it without inflating the rest (docs/decisions/0016).
 *
 * A line `at` says where a member begins, in bytes; behind it come the lines of the entries that begin in it. Behind the last entry comes a line for
 * each rule that left something out, and in an archive that is not complete one that says so. Keys are short: there are as many lines as entries.
 */
import type { EntryHeader, EntryKind } from './entries.js';

/** The longest line: a name and a link target of PATH_MAX bytes, every one of them escaped as `\u0000`, and room for the rest. */
export const MAX_INDEX_LINE = 64 << 10;

/** Lines behind those of the entries: nobody has more rules than this, and without a limit they could go on forever. */
export const MAX_LAST_LINES = 100_000;

const LETTER: Record<EntryKind, string> = { file: 'f', directory: 'd', symlink: 'l' };
const KIND_OF = new Map<unknown, EntryKind>(
  Object.entries(LETTER).map(([kind, letter]) => [letter, kind as EntryKind]),
);

/** The line in front of those of the entries that begin in a member. @param offset of the member in the archive, in bytes */
export function memberLine(offset: number): string {
  return `{"at":${offset}}\n`;
}

/** The line of an entry. */
export function entryLine({ name, kind, mode, mtime, size, linkname }: EntryHeader): string {
  const more = kind === 'file' ? `,"s":${size}` : kind === 'symlink' ? `,"l":${JSON.stringify(linkname ?? '')}` : '';
  return `{"n":${JSON.stringify(name)},"k":"${LETTER[kind]}","m":${mode},"t":${mtime}${more}}\n`;
}

/**
 * The lines behind those of the entries, no more of them than a reader takes.
 *
 * @param leftOut what rules left out, most first
 * @param incomplete how many paths are missing from the archive, or in it in a state that they never had
 */
export function lastLines(leftOut: readonly Exclusion[], incomplete: number): string {
  const rules = leftOut
    .slice(0, MAX_LAST_LINES - 1)
    .map(leftOutLine)
    .join('');
  return incomplete > 0 ? rules + incompleteLine(incomplete) : rules;
}

/** The line of a rule that left something out. */
function leftOutLine({ rule, directories, files }: Exclusion): string {
  const line = `{"out":${JSON.stringify(rule)},"d":${directories},"f":${files}}\n`;
  // A pattern has no longest length; one like that is known by its beginning, too.
  return line.length <= MAX_INDEX_LINE ? line : leftOutLine({ rule: `${rule.slice(0, 200)}…`, directories, files });
}

/** The last line of an archive that is not complete. */
function incompleteLine(paths: number): string {
  return `{"incomplete":${paths}}\n`;
}

/** What one rule kept out of the archive. */
interface Exclusion {
  rule: string;
  directories: number;
  files: number;
}

/** What a line says. */
export type IndexLine =
  | { type: 'member'; offset: number }
  /** The name is unchecked, perhaps hostile; the target is null unless the entry is a symlink. */
  | { type: 'entry'; name: string; kind: EntryKind; mode: number; mtime: number; size: number; link: string | null }
  | { type: 'leftOut'; rule: string; directories: number; files: number }
  | { type: 'incomplete'; paths: number }
  /** Something that a later version may have to say. */
  | { type: 'other' };

/** Reads a line. @returns null where it is none */
export function parseIndexLine(line: string): IndexLine | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { at, n, k, m, t, s = 0, l = null, out, d, f, incomplete } = value as Record<string, unknown>;
  if (at !== undefined) return isCount(at) ? { type: 'member', offset: at } : null;
  if (out !== undefined) {
    if (typeof out !== 'string' || !isCount(d) || !isCount(f)) return null;
    return { type: 'leftOut', rule: out, directories: d, files: f };
  }
  if (n === undefined) {
    if (incomplete === undefined) return { type: 'other' };
    return isCount(incomplete) && incomplete > 0 ? { type: 'incomplete', paths: incomplete } : null;
  }
  const kind = KIND_OF.get(k);
  if (typeof n !== 'string' || kind === undefined || !isCount(m) || m > 0o7777) return null;
  if (typeof t !== 'number' || !Number.isSafeInteger(t) || !isCount(s)) return null;
  if (kind !== 'file' && s !== 0) return null;
  if (kind === 'symlink' ? typeof l !== 'string' || l === '' || l.includes('\0') : l !== null) return null;
  return { type: 'entry', name: n, kind, mode: m, mtime: t, size: s, link: l as string | null };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
