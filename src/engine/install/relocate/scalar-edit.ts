/**
 * Changing one value in a file that belongs to the user.
 *
 * Writing a parsed tree back loses something of every such file: quoting, line ends, spacing, a comment. So the parser only says
 * where the value stands, and exactly those bytes are replaced.
 */
import { isNode, isScalar } from 'yaml';
import { type Config, pairOf } from '../config.js';

/** Replace the characters `start` to `end` by `text`; `start === end` inserts. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** The text with all edits made; they must not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const fromTheEnd = [...edits].sort((a, b) => b.start - a.start);
  return fromTheEnd.reduce((done, { start, end, text: put }) => done.slice(0, start) + put + done.slice(end), text);
}

/** The edit that gives a top-level key of `config.yaml` a string, in the quoting it has; a key that is missing becomes the first. */
export function setConfigString(config: Config, key: string, value: string): Edit {
  const { text } = config;
  const pair = pairOf(config.root, key);
  if (!pair) return addConfigString(config, key, value);
  if (!isNode(pair.value) || !pair.value.range) {
    // A key on its own in braces: `{workspace, port: 1}`.
    const end = isNode(pair.key) ? (pair.key.range?.[1] ?? 0) : 0;
    return { start: end, end, text: `: ${quote(value, 'QUOTE_DOUBLE')}` };
  }
  const [start, end] = pair.value.range;
  const old = text.slice(start, end);
  const put = quote(value, isScalar(pair.value) ? pair.value.type : undefined);
  // An empty value stands directly after its colon or directly before a comment.
  if (old === '') return { start, end, text: spaced(put, text[start - 1], text[start]) };
  // A block scalar ends with its line.
  return { start, end, text: old.endsWith('\n') ? put + lineEnd(text) : put };
}

function addConfigString({ text, root }: Config, key: string, value: string): Edit {
  const start = root.range?.[0] ?? 0;
  const line = `${key}: ${quote(value, 'QUOTE_DOUBLE')}`;
  if (root.flow) return { start: start + 1, end: start + 1, text: root.items.length > 0 ? `${line}, ` : line };
  const indent = text.slice(text.lastIndexOf('\n', start - 1) + 1, start).replace(/^\ufeff/, '');
  return { start, end: start, text: `${line}${lineEnd(text)}${indent}` };
}

function spaced(value: string, before = '', after = ''): string {
  return `${/\s/.test(before) ? '' : ' '}${value}${after === '' || /[\s,}]/.test(after) ? '' : ' '}`;
}

function lineEnd(text: string): string {
  return /\r?\n/.exec(text)?.[0] ?? '\n';
}

/** A string in YAML, in the given style where that can hold it, else in double quotes. */
function quote(value: string, style: string | null | undefined): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters need escapes, which only double quotes have
  const isPrintable = !/[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]/.test(value);
  if (style === 'QUOTE_SINGLE' && isPrintable) return `'${value.replaceAll("'", "''")}'`;
  // With a slash in it, it is no number, boolean or null; without punctuation, it is no mapping, comment or list.
  if (style === 'PLAIN' && /^[/\w](?:[\w/.@%+=~ -]*[\w/.@%+=~-])?$/.test(value) && value.includes('/')) return value;
  return JSON.stringify(value);
}

/** A string value in a JSON object, and where its literal stands. */
export interface JsonString {
  value: string;
  start: number;
  end: number;
}

/**
 * The top-level keys of a JSON object that hold strings; of a key that stands there twice the last, as parsers take it.
 *
 * @returns null where the text is not a JSON object
 */
export function jsonStrings(text: string): Map<string, JsonString> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  } catch {
    return null;
  }
  const strings = new Map<string, JsonString>();
  let depth = 0;
  let key: string | null = null;
  let isValue = false;
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token === ':') isValue = true;
    else if (depth === 1 && token === ',') isValue = false;
    else if (depth === 1 && !isValue) key = String(JSON.parse(token));
    else if (depth === 1 && key !== null) {
      if (token.startsWith('"'))
        strings.set(key, { value: String(JSON.parse(token)), start: index, end: index + token.length });
      else strings.delete(key);
    }
  }
  return strings;
}
