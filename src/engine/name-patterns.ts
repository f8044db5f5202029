/**
 * Patterns that choose entries of an archive by their names: `*`, `?`, `[…]` and `**`, and nothing else (docs/cli.md, "Patterns").
 *
 * Matched here and not by a library: `ignore` keeps every name that it was asked about, and picomatch gives a meaning to quotes and parentheses too, takes
 * `[!a]` for two things and half of a 🦊 for `?`, and its regular expressions can take forever. Whoever names a file of a backup means that file.
 */
import type { ArchivePath } from './archive/index.js';
import { SnapshotError } from './errors.js';

interface Pattern {
  text: string;
  /** The beginning of names that are meant where the text is no pattern but a name; always with its last part whole. */
  name: string;
  /** The same, part by part. */
  parts: Part[];
  /** Only a directory, and what is beneath it. */
  isDirectory: boolean;
  hasMatched: boolean;
}

/** What stands between two slashes: any number of parts, a text, or a pattern. */
type Part = '**' | { text: string } | { tokens: Token[] };
/** A character of a pattern: any text, or a judge of one character. */
type Token = '*' | ((character: string) => boolean);

/** Chooses entries. One that is beneath a chosen directory is chosen, too. */
export class NamePatterns {
  readonly #patterns: Pattern[];

  /**
   * @param patterns what is chosen; where there is none, everything is
   * @throws USAGE for one that is empty
   */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(compiled);
  }

  /** Whether an entry is chosen. @param name as it stands in the archive: a directory's ends in `/` */
  matches(name: ArchivePath): boolean {
    let chosen = this.#patterns.length === 0;
    for (const pattern of this.#patterns) {
      if (chosen && pattern.hasMatched) continue;
      if (!isChosenBy(pattern, name)) continue;
      pattern.hasMatched = true;
      chosen = true;
    }
    return chosen;
  }

  /** Patterns that have chosen nothing so far. */
  get unmatched(): string[] {
    return this.#patterns.filter(({ hasMatched }) => !hasMatched).map(({ text }) => text);
  }
}

function isChosenBy({ name, parts, isDirectory }: Pattern, entry: string): boolean {
  // A name with a bracket in it means itself, whatever else it may mean as a pattern.
  const isNamed =
    entry.startsWith(name) && (entry[name.length] === '/' || (!isDirectory && entry.length === name.length));
  if (isNamed) return true;
  const own = entry.split('/');
  // What is behind the last slash is empty for a directory, and no directory otherwise.
  if (isDirectory || own.at(-1) === '') own.pop();
  return startsWithParts(own, parts);
}

function compiled(text: string): Pattern {
  const name = text.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
  if (name === '') {
    throw new SnapshotError('USAGE', `the pattern '${text}' names no entry`, {
      hint: "names are as `leoflow lite list` prints them: 'workspace/dags/', 'workspace/**/*.py'",
    });
  }
  return { text, name, parts: name.split('/').map(compiledPart), isDirectory: text.endsWith('/'), hasMatched: false };
}

function compiledPart(part: string): Part {
  if (part === '**') return part;
  if (!/[*?[\\]/.test(part)) return { text: part };
  const characters = [...part];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string;
    const next = characters[at + 1];
    const end = character === '[' ? endOfClass(characters, at) : -1;
    if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else if (character === '?') tokens.push(() => true);
    else if (end !== -1) {
      tokens.push(classOf(characters.slice(at + 1, end)));
      at = end;
    } else if (character === '\\' && next !== undefined) {
      tokens.push((other) => other === next);
      at += 1;
    } else tokens.push((other) => other === character);
  }
  return { tokens };
}

/** Where the class ends that begins here; -1 where it does not, and the bracket is only one. A `]` that stands first belongs to it. */
function endOfClass(characters: readonly string[], start: number): number {
  const first = characters[start + 1];
  let at = start + (first === '!' || first === '^' ? 2 : 1);
  if (characters[at] === ']') at += 1;
  for (; at < characters.length; at += 1) {
    if (characters[at] === ']') return at;
    if (characters[at] === '\\') at += 1;
  }
  return -1;
}

/** A judge of characters. @param inside what stands between the brackets */
function classOf(inside: readonly string[]): (character: string) => boolean {
  const isNegated = inside[0] === '!' || inside[0] === '^';
  const ranges: [from: number, to: number][] = [];
  let at = isNegated ? 1 : 0;
  const take = () => {
    if (inside[at] === '\\' && at + 1 < inside.length) at += 1;
    at += 1;
    return codeOf(inside[at - 1] as string);
  };
  while (at < inside.length) {
    const from = take();
    const isRange = inside[at] === '-' && at + 1 < inside.length;
    if (isRange) at += 1;
    ranges.push([from, isRange ? take() : from]);
  }
  return (character) => {
    const code = codeOf(character);
    return ranges.some(([from, to]) => from <= code && code <= to) !== isNegated;
  };
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Whether a name begins with parts like these. */
function startsWithParts(name: readonly string[], parts: readonly Part[]): boolean {
  let [at, part] = [0, 0];
  /** The last `**`, and how far it has reached: to reach further is all that is ever tried again, so no pattern takes forever. */
  let [any, reached] = [-1, 0];
  while (part < parts.length) {
    const wanted = parts[part] as Part;
    if (wanted === '**') {
      // As the last one it means all that is beneath, and not the directory itself.
      if (part === parts.length - 1) return at < name.length;
      [any, reached] = [part, at];
      part += 1;
    } else if (at < name.length && isLike(name[at] as string, wanted)) {
      at += 1;
      part += 1;
    } else if (any !== -1 && reached < name.length) {
      reached += 1;
      [at, part] = [reached, any + 1];
    } else return false;
  }
  return true;
}

/** Whether a part of a name is like one of a pattern; the same way as above. */
function isLike(part: string, wanted: Exclude<Part, '**'>): boolean {
  if ('text' in wanted) return part === wanted.text;
  const { tokens } = wanted;
  const characters = [...part];
  let [at, token] = [0, 0];
  let [any, reached] = [-1, 0];
  while (at < characters.length || token < tokens.length) {
    const judge = tokens[token];
    if (judge === '*') {
      [any, reached] = [token, at];
      token += 1;
    } else if (judge !== undefined && at < characters.length && judge(characters[at] as string)) {
      at += 1;
      token += 1;
    } else if (any !== -1 && reached < characters.length) {
      reached += 1;
      [at, token] = [reached, any + 1];
    } else return false;
  }
  return true;
}
