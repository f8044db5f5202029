/**
 * Where a line of SQL stands: at the start of a statement, inside a literal, or before COPY data.
 *
 * This is psql's own lexer (psqlscan.l) as far as it decides where statements end. The replay needs it for two questions only: may this line be
 * dropped, and is what follows data? Safety does not rest on the answers: psql is locked, whatever could unlock it is looked for byte by byte, and the
 * role behind it can do nothing outside its database.
 */

/** What the scanner is in the middle of at a line's end. */
type Inside =
  | { kind: 'code' }
  | { kind: 'literal'; backslashes: boolean }
  | { kind: 'identifier' }
  | { kind: 'comment'; depth: number }
  | { kind: 'dollar'; tag: string };

/** psql takes bytes over 0x7f for letters; lines are decoded as latin1, so they are here, too. */
const TOKEN =
  /(?<space>\s+|--.*)|(?<comment>\/\*)|(?<literal>(?:[eE]|[nN]|[bB]|[xX]|[uU]&)?')|(?<quote>(?:[uU]&)?")|(?<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z_\x80-\xff0-9]*)?\$)|(?<word>[A-Za-z_\x80-\xff][A-Za-z_\x80-\xff0-9$]*)|(?<number>\.?[0-9][0-9A-Za-z_.]*|\$[0-9]+)|(?<separator>\\;|\\.*)|(?<other>[\s\S])/y;

/** Words that end or begin a transaction as the first of a statement; PREPARE only before TRANSACTION. */
const TRANSACTION = new Set(['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release']);

/** Feeds on lines, in order, and tells what they are. */
export class SqlScanner {
  #inside: Inside = { kind: 'code' };
  #words: string[] = [];
  #parentheses = 0;
  #blocks = 0;
  /** Whether anything but blanks and comments stands before, in the statement. */
  #begun = false;
  #escapes = false;
  /** Whether the literal that ended last, with nothing but blanks since, knew backslashes: one that begins on a later line goes on with it. */
  #continued: { backslashes: boolean; line: number } | undefined;
  #line = 0;

  /** Whether a line that began now would begin a statement (or stand between two). */
  get atStatementStart(): boolean {
    return this.#inside.kind === 'code' && !this.#begun;
  }

  /** Whether a line that began now would not begin inside of a literal, an identifier or a comment. */
  get inCode(): boolean {
    return this.#inside.kind === 'code';
  }

  /**
   * Takes one line, without its line break.
   *
   * @returns `copy` when COPY data follows this line; `transaction` when a statement on it begins or ends a transaction
   */
  line(text: string): { copy: boolean; transaction: boolean } {
    const seen = { copy: false, transaction: false };
    this.#line++;
    let at = 0;
    while (at < text.length) {
      if (this.#inside.kind !== 'code') {
        at = this.#skip(text, at, this.#inside);
        continue;
      }
      TOKEN.lastIndex = at;
      const groups = TOKEN.exec(text)?.groups ?? {};
      at = TOKEN.lastIndex;
      this.#take(groups, seen);
    }
    return seen;
  }

  #take(token: Partial<Record<string, string>>, seen: { copy: boolean; transaction: boolean }): void {
    const { space, comment, literal, quote, dollar, word, separator, other } = token;
    if (space !== undefined) return;
    const before = this.#continued;
    this.#continued = undefined;
    if (comment !== undefined) {
      this.#inside = { kind: 'comment', depth: 1 };
      return;
    }
    if (separator !== undefined) {
      this.#end(seen);
      return;
    }
    if (other === ';' && this.#parentheses === 0 && this.#blocks === 0) {
      this.#end(seen);
      return;
    }
    this.#begun = true;
    if (literal !== undefined) {
      const continues = literal === "'" && before !== undefined && before.line < this.#line;
      const backslashes = continues ? before.backslashes : this.#escapes || /^e/i.test(literal);
      this.#inside = { kind: 'literal', backslashes };
    } else if (quote !== undefined) {
      this.#inside = { kind: 'identifier' };
    } else if (dollar !== undefined) {
      this.#inside = { kind: 'dollar', tag: dollar };
    } else if (word !== undefined) {
      this.#word(word.toLowerCase(), seen);
    } else if (other === '(') this.#parentheses++;
    else if (other === ')') this.#parentheses = Math.max(0, this.#parentheses - 1);
  }

  #word(word: string, seen: { transaction: boolean }): void {
    if (this.#words.length === 0 && TRANSACTION.has(word)) seen.transaction = true;
    if (this.#words.length === 1 && this.#words[0] === 'prepare' && word === 'transaction') seen.transaction = true;
    if (this.#parentheses === 0) this.#trackBlock(word);
    // The first words say what the statement is, the last two whether a COPY reads its data from here.
    if (this.#words.length < 6) this.#words.push(word);
    else this.#words = [...this.#words.slice(0, 4), this.#words.at(-1) ?? '', word];
    if (this.#parentheses === 0 && this.#words[0] === 'copy' && this.#words.at(-2) === 'from' && word === 'stdin') {
      this.#words[0] = 'copy from stdin';
    }
  }

  /** The body of an SQL-standard function: semicolons between BEGIN and END end no statement. psql's own heuristic. */
  #trackBlock(word: string): void {
    const [first, second, third, fourth] = this.#words;
    const what = second === 'or' && third === 'replace' ? fourth : second;
    if (first !== 'create' || (what !== 'function' && what !== 'procedure')) return;
    if (word === 'begin') this.#blocks++;
    else if (word === 'case' && this.#blocks > 0) this.#blocks++;
    else if (word === 'end' && this.#blocks > 0) this.#blocks--;
  }

  #end(seen: { copy: boolean }): void {
    const [first, second] = this.#words;
    if (first === 'copy from stdin') seen.copy = true;
    if (first === 'set' && second === 'standard_conforming_strings') this.#escapes = this.#words.includes('off');
    this.#words = [];
    this.#parentheses = 0;
    this.#blocks = 0;
    this.#begun = false;
  }

  /** Goes on behind the end of what the scanner is in, or to the line's end. */
  #skip(text: string, from: number, inside: Exclude<Inside, { kind: 'code' }>): number {
    if (inside.kind === 'comment') return this.#skipComment(text, from, inside);
    const end = endOf(text, from, inside);
    if (end < 0) return text.length;
    if (inside.kind === 'literal') this.#continued = { backslashes: inside.backslashes, line: this.#line };
    this.#inside = { kind: 'code' };
    return end;
  }

  #skipComment(text: string, from: number, inside: { depth: number }): number {
    const mark = /\/\*|\*\//g;
    mark.lastIndex = from;
    const match = mark.exec(text);
    if (match === null) return text.length;
    inside.depth += match[0] === '/*' ? 1 : -1;
    if (inside.depth === 0) this.#inside = { kind: 'code' };
    return mark.lastIndex;
  }
}

function endOf(text: string, from: number, inside: Exclude<Inside, { kind: 'code' | 'comment' }>): number {
  if (inside.kind === 'dollar') {
    const end = text.indexOf(inside.tag, from);
    return end < 0 ? -1 : end + inside.tag.length;
  }
  const quote = inside.kind === 'identifier' ? '"' : "'";
  const mark = inside.kind === 'literal' && inside.backslashes ? /\\|'/g : undefined;
  for (let at = from; ; ) {
    if (mark === undefined) at = text.indexOf(quote, at);
    else {
      mark.lastIndex = at;
      at = mark.exec(text)?.index ?? -1;
    }
    if (at < 0) return -1;
    // A doubled quote stands for itself, as does whatever a backslash precedes.
    if (text[at] === quote && text[at + 1] !== quote) return at + 1;
    at += 2;
  }
}
