/** A workspace with every oddity that a file system can hold, and a way to look at one without the program under test. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export const MIB = 1 << 20;

/** Whether modes mean nothing to us. */
export const isRoot = process.getuid?.() === 0;

/** Names that some layer between a directory and an archive may trip over. All are legal, for files and for directories. */
export const ODD_NAMES: readonly string[] = [
  // patterns
  ...[
    '[brackets]',
    '[',
    ']',
    '{braces}',
    '{a,b}',
    '*',
    '**',
    '***',
    '?',
    '!',
    '!negated',
    'a*b',
    '@(a|b)',
    '+(x)',
    '!(y)',
    '(p)',
  ],
  // backslashes, and what a walker may take for a leading "./"
  ...['back\\slash', '\\', 'trailing\\', '.\\dot', 'dot', '..\\up', '\\\\'],
  // line ends, and what may stand for them
  ...['new\nline', '\n', 'last\n', 'carriage\rreturn', 'last\r', 'a\u2028b', 'a\u2029b', 'a\u0085b'],
  ...['%0A', '%000a', '%', '%25', '%0025', '\\n', '\\r'],
  // command lines
  ...[
    '-leading',
    '--output=x',
    '-',
    '~',
    '~root',
    '$HOME',
    '`id`',
    ';',
    '&',
    '|',
    '<',
    '>',
    '#hash',
    '"quoted"',
    "it's",
    'a=b',
    'a:b',
  ],
  // blanks and dots at the ends
  ...['trailing ', ' leading', ' ', '.hidden', '...', '....', 'dot.', 'dots..', '. '],
  // control characters
  ...['tab\t', 'escape\u001b[31m', 'bell\u0007', '\u0001', 'delete\u007f'],
  // beyond ASCII: composed and decomposed, both sides of the surrogates in UTF-16 order, characters that stand for damage
  ...[
    '\u00e9',
    'e\u0301',
    '日本語',
    'عربي',
    '\ue000',
    '\uf8ff',
    '\ufffd',
    'a\ufffdb',
    '\uffff',
    '\ufeffmark',
    '\u{10000}',
    '🚀',
    '👩‍👧',
  ],
  // like the excluded ones, but not they
  ...['Venv', 'venv ', 'xvenv', '.venv.bak', 'git', '.gitignore', '.github', 'node_modules.txt', 'NODE_MODULES'],
];

/** Left out where they are directories; kept where they are files or links. */
export const MADE_AGAIN = ['.venv', 'venv', '__pycache__', '.pytest_cache', 'node_modules', '.tox', '.mypy_cache'];
/** Left out whatever they are. */
export const VERSION_CONTROL = ['.git', '.hg', '.svn'];

/** Writes a file, and the directories above it. */
export function put(path: string, content: string | Uint8Array = ''): void {
  try {
    writeFileSync(path, content);
  } catch {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

/**
 * Makes every oddity that belongs into an archive.
 *
 * @param flat files in one flat directory; 10,000 are scanned in pages, but take their time
 */
export function growOddTree(root: string, flat: number): void {
  for (const name of ODD_NAMES) {
    put(join(root, 'files', name), `the file ${name}`);
    put(join(root, 'directories', name, 'inside'), `in the directory ${name}`);
    mkdirSync(join(root, 'empty directories', name), { recursive: true });
  }
  for (const name of MADE_AGAIN) {
    put(join(root, 'kept', 'files', name), `a file called ${name}`);
    mkdirSync(join(root, 'kept', 'links'), { recursive: true });
    symlinkSync('..', join(root, 'kept', 'links', name));
  }
  growLongNames(join(root, 'long'));
  growLinks(join(root, 'links'));
  growContents(join(root, 'contents'));
  growModes(join(root, 'modes'));
  for (let i = 0; i < flat; i += 1) put(join(root, 'flat', `${i}.txt`), `file ${i}\n`);
  setTimes(join(root, 'times'));
  // After everything in it, or the times of its directories would be ours.
  utimesSync(join(root, 'long'), 1_000_000_000, 1_000_000_000);
}

function growLongNames(root: string): void {
  // Around every bound of ustar: 100 bytes of name, 155 of prefix, 255 in all; and the longest that a directory takes.
  for (const length of [
    85, 86, 87, 88, 89, 90, 91, 98, 99, 100, 101, 102, 140, 141, 142, 143, 154, 155, 156, 157, 254, 255,
  ]) {
    put(join(root, 'f'.repeat(length)), 'long');
    mkdirSync(join(root, 'd'.repeat(length)), { recursive: true });
    put(join(root, 'p'.repeat(length), 'short'), 'in a long one');
  }
  put(join(root, `${'é'.repeat(127)}x`), '255 bytes');
  mkdirSync(join(root, '🚀'.repeat(63)));
  let deep = root;
  for (let i = 0; i < 9; i += 1) deep = join(deep, `${i}${'-'.repeat(99)}`);
  // Around 1,000 bytes a PAX record gets another digit of length.
  for (let length = 1; length < 110; length += 1) put(join(deep, 'n'.repeat(length)), 'deep');
  for (let i = 0; i < 9; i += 1) deep = join(deep, `${i}${'~'.repeat(99)}`);
  put(join(deep, 'nearly 2,000 bytes'), 'deeper');
  put(join(root, ...Array.from({ length: 300 }, () => 'n'), 'nested'), 'in 300 directories');
}

function growLinks(root: string): void {
  mkdirSync(join(root, 'directory'), { recursive: true });
  put(join(root, 'file'), 'target');
  const targets: Record<string, string> = {
    'to a file': 'file',
    'to a directory': 'directory',
    'to a directory/ with a slash': 'directory/',
    'to itself': 'to itself',
    'to nothing': 'nowhere',
    'out of the workspace': '../../../../etc/hostname',
    absolute: '/etc/hostname',
    'with odd characters': 'a\nb\\c [d] é 🚀 ',
    'to a dot': '.',
  };
  for (const [name, target] of Object.entries(targets)) symlinkSync(target, join(root, name.replaceAll('/', '')));
  for (const length of [99, 100, 101, 255, 256, 1000, 4095])
    symlinkSync('t'.repeat(length), join(root, `of ${length} bytes`));
  symlinkSync('é'.repeat(50), join(root, 'of 100 bytes beyond ASCII'));
  symlinkSync('file', join(root, `${'l'.repeat(150)} with a long name`));
  lutimesSync(join(root, 'to nothing'), 1_111_111_111, 1_111_111_111);
}

function growContents(root: string): void {
  for (const size of [
    0,
    1,
    511,
    512,
    513,
    1023,
    1024,
    MIB - 1024,
    MIB - 512,
    MIB - 1,
    MIB,
    MIB + 1,
    MIB + 512,
    3 * MIB + 17,
  ]) {
    put(join(root, 'random', String(size)), randomBytes(size));
    put(join(root, 'text', String(size)), Buffer.alloc(size, 'all work and no play makes jack a dull boy\n'));
  }
  put(join(root, 'sparse'));
  truncateSync(join(root, 'sparse'), 4 * MIB + 3);
  put(join(root, 'linked twice'), 'one content');
  linkSync(join(root, 'linked twice'), join(root, 'second name'));
}

function growModes(root: string): void {
  for (const mode of [0o400, 0o444, 0o600, 0o640, 0o755, 0o777, 0o4755, 0o2755, 0o6711, 0o1644]) {
    const name = mode.toString(8).padStart(4, '0');
    put(join(root, `file ${name}`), name);
    chmodSync(join(root, `file ${name}`), mode);
    const directory = join(root, `directory ${name}`);
    mkdirSync(directory);
    // One that we cannot enter is another test's.
    chmodSync(directory, isRoot ? mode : mode | 0o700);
  }
  if (!isRoot) return;
  put(join(root, 'file 0000'), 'root reads this too');
  chmodSync(join(root, 'file 0000'), 0);
  mkdirSync(join(root, 'directory 0000'));
  chmodSync(join(root, 'directory 0000'), 0);
}

function setTimes(root: string): void {
  const times = [
    -1e9,
    -86_400,
    -1.5,
    -1,
    0,
    0.5,
    1,
    1.7e9 + 0.987_654,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    9e9,
  ];
  for (const time of times) {
    put(join(root, `file ${time}`), 'x');
    utimesSync(join(root, `file ${time}`), time, time);
    mkdirSync(join(root, `directory ${time}`));
    utimesSync(join(root, `directory ${time}`), time, time);
    symlinkSync('x', join(root, `link ${time}`));
    lutimesSync(join(root, `link ${time}`), time, time);
  }
}

/** Makes what no archive holds, and every rule that is built in leaves out. */
export function growExcluded(root: string): void {
  for (const name of [...MADE_AGAIN, ...VERSION_CONTROL]) {
    put(join(root, name, 'deep', 'inside'), 'never archived');
    put(join(root, 'excluded', 'below', name, 'inside'), 'never archived');
  }
  put(join(root, 'excluded', 'submodule', '.git'), 'gitdir: ../../.git/modules/submodule\n');
  symlinkSync('nowhere', join(root, 'excluded', '.svn'));
}

/** A FIFO and a socket. */
export function growSpecials(root: string): { fifo: string; socket: string } {
  const [fifo, socket] = [join(root, 'a fifo'), join(root, 'a socket')];
  execFileSync('mkfifo', [fifo]);
  execFileSync('python3', ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', socket]);
  return { fifo, socket };
}

/** A path of bytes that are no UTF-8. */
export function latin1(directory: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]);
}

/** What stands at a path. */
export interface Seen {
  kind: 'file' | 'directory' | 'link' | 'other';
  /** Octal permission bits. Links have none. */
  mode?: string;
  /** Whole seconds. */
  mtime: number;
  /** SHA-256 of a file, target of a link. */
  content?: string;
}

/**
 * Everything in a tree by its path, the root as the empty one. Paths that are not UTF-8 come out as latin1 with a `bytes:` in front.
 *
 * @param without paths to pass over, with all below them
 */
export function look(root: string, without: (path: string) => boolean = () => false): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const visit = (path: Buffer, name: string) => {
    if (without(name)) return;
    const stats = lstatSync(path, { bigint: true });
    const mtime = Number(
      (stats.mtimeNs - (((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
    );
    const mode = (Number(stats.mode) & 0o7777).toString(8);
    if (stats.isSymbolicLink()) {
      seen.set(name, { kind: 'link', mtime, content: readlinkSync(path, 'latin1') });
    } else if (stats.isFile()) {
      seen.set(name, {
        kind: 'file',
        mode,
        mtime,
        content: createHash('sha256').update(readFileSync(path)).digest('hex'),
      });
    } else if (stats.isDirectory()) {
      seen.set(name, { kind: 'directory', mode, mtime });
      for (const child of readdirSync(path, { encoding: 'buffer' })) {
        const text = child.toString();
        const readable = Buffer.from(text).equals(child) ? text : `bytes:${child.toString('latin1')}`;
        visit(Buffer.concat([path, Buffer.from('/'), child]), name === '' ? readable : `${name}/${readable}`);
      }
    } else {
      seen.set(name, { kind: 'other', mode, mtime });
    }
  };
  visit(Buffer.from(root), '');
  return seen;
}
