/**
 * What a command's help says behind its options, taken apart: sections of terms with a text each, and free paragraphs.
 *
 *     Examples:
 *       leoflow lite verify snap.tar.gz
 *           every CRC, every checksum, structure and manifest
 *     Exit status:
 *       0    done
 */

/** Something, and what is said of it. */
export interface Item {
  term: string;
  text: string;
}

export interface Afterword {
  paragraphs: string[];
  /** By title, without its colon. */
  sections: Map<string, Item[]>;
}

/** Takes it apart. */
export function readAfterword(afterword: string): Afterword {
  const paragraphs: string[] = [];
  const sections = new Map<string, Item[]>();
  let items: Item[] | null = null;
  let isNew = true;
  for (const line of afterword.split('\n')) {
    const title = /^([A-Z][\w ]*):$/.exec(line)?.[1];
    if (title !== undefined) {
      items = [];
      sections.set(title, items);
    } else if (line.startsWith(' ') && items !== null) {
      addLine(items, line);
    } else if (line !== '') {
      if (isNew) paragraphs.push(line);
      else paragraphs.push(`${paragraphs.pop() ?? ''} ${line}`);
    }
    isNew = line === '' || line.startsWith(' ') || title !== undefined;
  }
  return { paragraphs, sections };
}

/** Two spaces in front of a term, more in front of what goes on about it. */
function addLine(items: Item[], line: string): void {
  const last = items.at(-1);
  const [, term = '', text = ''] = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
  if (term !== '') items.push({ term, text });
  else if (last !== undefined) last.text = `${last.text} ${line.trim()}`.trim();
}
