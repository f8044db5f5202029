/**
 * `config.yaml` as text that belongs to the user: parsed for the few keys this program knows, never written from the parsed tree.
 */
import {
  Composer,
  type CST,
  Document,
  isAlias,
  isMap,
  isScalar,
  Lexer,
  LineCounter,
  type Pair,
  Parser,
  type YAMLMap,
} from 'yaml';
import { quoted } from '../archive/index.js';
import { SnapshotError } from '../errors.js';
import { MAX_INSTALL_FILE_BYTES } from './install-file.js';

/** A parsed `config.yaml`. */
export interface Config {
  /** The text, byte for byte: encoding it again gives the file. */
  text: string;
  /** Its root, a mapping without duplicate keys. */
  root: YAMLMap;
  document: Document;
  /** Where the text stands, for messages. */
  path: string;
  lines: LineCounter;
}

/** Real ones nest three or four collections deep. */
const MAX_DEPTH = 100;

const HINT = 'correct config.yaml, or run `leoflow setup` to have it written anew';

/**
 * Parses `config.yaml`.
 *
 * @param path how messages name it
 * @param hint what a person can do about it; by default what helps with the file of a home
 * @throws SnapshotError `CONFIG_INVALID`; the message says line and column, and quotes nothing (the file holds secrets)
 */
export function parseConfig(content: Buffer, path: string, hint = HINT): Config {
  return hinting(hint, () => parseText(content, path));
}

/**
 * Parses the `config.yaml` of an archive. One that another parser of YAML could read differently is none: what is looked at here would
 * not be what takes effect. Parameters and errors are those of {@link parseConfig}.
 */
export function parseArchivedConfig(content: Buffer, path: string, hint: string): Config {
  return hinting(hint, () => {
    const config = parseText(content, path);
    refuseAmbiguous(config);
    return config;
  });
}

function hinting(hint: string, parsed: () => Config): Config {
  try {
    return parsed();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new SnapshotError(error.code, error.message, { hint, cause: error.cause });
  }
}

function parseText(content: Buffer, path: string): Config {
  const text = decode(content, path);
  const lines = new LineCounter();
  const document = parse(text, lines, path);
  const error = document.errors[0];
  if (error) throw invalid(path, position(lines, error.pos[0]), reasonOf(error));
  if (document.contents === null) throw invalid(path, '', 'it is empty');
  const root: unknown = document.contents;
  if (!isMap(root)) throw invalid(path, position(lines, rangeStart(root)), 'it does not hold keys and values');
  refuseDuplicates(root, lines, path);
  return { text, root, document, path, lines };
}

/**
 * The string a top-level key holds; null where it is absent, null or empty.
 *
 * @throws SnapshotError `CONFIG_INVALID` where it holds anything else
 */
export function configString(config: Config, key: string): string | null {
  const named = pairOf(config.root, key)?.value;
  const at = position(config.lines, rangeStart(named));
  const node = isAlias(named) ? named.resolve(config.document) : named;
  if (isAlias(named) && node === undefined) throw invalid(config.path, at, `\`${key}\` refers to nothing`);
  if (node === undefined || node === null) return null;
  const value: unknown = isScalar(node) ? node.value : undefined;
  if (value === null || value === '') return null;
  if (typeof value === 'string' && !value.includes('\0')) return value;
  throw invalid(config.path, at, `\`${key}\` is not a string`);
}

/** The pair of a top-level key. */
export function pairOf(root: YAMLMap, key: string): Pair | undefined {
  return root.items.find((pair) => keyOf(pair) === key);
}

function decode(content: Buffer, path: string): string {
  if (content.length > MAX_INSTALL_FILE_BYTES) throw invalid(path, '', 'it is over 256 KiB long');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw invalid(path, firstBadByte(content), 'this is not UTF-8', cause);
  }
}

function parse(text: string, lines: LineCounter, path: string): Document {
  // The library compares every key with every other one; `refuseDuplicates` does it in one pass.
  const composer = new Composer({ uniqueKeys: false });
  const documents = composer.compose(shallowTokens(text, lines, path), true, text.length);
  const first = documents.next().value;
  const second = documents.next().value;
  if (second) throw invalid(path, position(lines, second.range[0]), 'a second document begins');
  // `compose` is told to make a document also of nothing.
  return first ?? new Document(null);
}

/**
 * The tokens of the text, as long as they do not nest. Composing recurses, and deep in the stack V8 ends the whole process when it
 * has to compile a regular expression: a text that nests without end must not get there.
 */
function* shallowTokens(text: string, lines: LineCounter, path: string): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH) throw invalid(path, position(lines, parser.offset), 'it nests too deep');
  }
  yield* parser.end();
}

/** The library's message, without what it quotes from the text. */
function reasonOf(error: Error): string {
  return error.message.replace(/(?<=\S): .*$/s, '');
}

function refuseDuplicates(root: YAMLMap, lines: LineCounter, path: string): void {
  const seen = new Set<unknown>();
  for (const pair of root.items) {
    const key = keyOf(pair);
    if (seen.has(key))
      throw invalid(path, position(lines, rangeStart(pair.key)), `${quoted(String(key))} stands there twice`);
    if (key !== undefined) seen.add(key);
  }
}

/** Where YAML 1.1 breaks a line, and the parser here does not; and a byte order mark that it skips. */
const OTHER_BREAK = /\r(?!\n)|[\x85\u2028\u2029]|(?<=.)\ufeff/s;

/** Refuses breaks of lines that not all parsers know, and keys that not all read alike: aliases, merges, collections, tagged ones. */
function refuseAmbiguous({ text, root, lines, path }: Config): void {
  const odd = text.search(OTHER_BREAK);
  if (odd >= 0) throw invalid(path, position(lines, odd), 'not every parser reads this character alike');
  for (const { key } of root.items) {
    const isPlain = isScalar(key) && key.tag === undefined && key.source !== '<<';
    if (!isPlain) throw invalid(path, position(lines, rangeStart(key)), 'not every parser reads this key alike');
  }
}

function keyOf(pair: Pair): unknown {
  return isScalar(pair.key) ? pair.key.value : undefined;
}

/** Offset of a node in the text; 0 where it has none. */
function rangeStart(node: unknown): number {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return 0;
  return Number(node.range[0] ?? 0);
}

function position(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return ` at line ${Math.max(line, 1)}, column ${Math.max(col, 1)}`;
}

/** Line feeds are never part of a longer UTF-8 sequence, so lines can be tried one by one. */
function firstBadByte(content: Buffer): string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let start = 0, line = 1; start <= content.length; line++) {
    const end = content.indexOf(0x0a, start);
    const bytes = content.subarray(start, end < 0 ? content.length : end);
    try {
      decoder.decode(bytes);
    } catch {
      // Up to the bad byte, decoding and encoding again gives the same bytes.
      const again = Buffer.from(bytes.toString('utf8'));
      const bad = bytes.findIndex((byte, index) => byte !== again[index]);
      const good = bytes.subarray(0, bad < 0 ? bytes.length : bad);
      return ` at line ${line}, column ${good.toString('utf8').length + 1}`;
    }
    if (end < 0) break;
    start = end + 1;
  }
  return '';
}

function invalid(path: string, at: string, what: string, cause?: unknown): SnapshotError {
  return new SnapshotError('CONFIG_INVALID', `${path} is not valid${at}: ${what}`, { hint: HINT, cause });
}
