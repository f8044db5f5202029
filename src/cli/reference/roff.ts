/**
 * Text for manual pages: the man macros that every roff knows, and what must not stand there as it is.
 */

/** What roff would take for something else, or render as another character. */
const SPECIAL: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '"': '\\(dq',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** Text that shows as it is, wherever it stands. */
export function plain(text: string): string {
  const escaped = text.replace(/[\\\-'`"^~]|[^\n -~]/gu, (character) => SPECIAL[character] ?? codePoint(character));
  // A line that begins with a dot would be a macro.
  return escaped.replace(/^\./gm, '\\&.');
}

export function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

/** `leoflow lite verify [options] <archive...>`: what is typed as it is in bold, what stands for something else in italics. */
export function synopsis(path: string, rest: string): string {
  const parts = rest.split(/([<[][^>\]]+[>\]])/).map((part) => {
    if (!/^[<[]/.test(part)) return plain(part);
    const name = `\\fI${plain(part.slice(1, -1))}\\fR`;
    return part.startsWith('[') ? `[${name}]` : name;
  });
  return `${bold(path)} ${parts.join('')}`.trimEnd();
}

/** `-o, --output <path|->`: likewise. */
export function optionFlags(flags: string): string {
  const [, names = '', value = ''] = /^(.*?)(?: ?[<[](.+)[>\]])?$/.exec(flags) ?? [];
  const typed = names.split(', ').map(bold).join(', ');
  return value === '' ? typed : `${typed} \\fI${plain(value)}\\fR`;
}

/** A section, or with `.SS` a part of one. */
export function heading(macro: '.SH' | '.SS', title: string): string {
  return `${macro} "${plain(title)}"`;
}

/** A term and what is said of it, indented. @param term is roff already */
export function tagged(term: string, text: string): string {
  return `.TP\n${term}\n${plain(text)}`;
}

function codePoint(character: string): string {
  return `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
