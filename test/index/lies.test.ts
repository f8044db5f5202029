/** An index that lies or is damaged: it is found out, whatever it says, and never believed further than it can be checked. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checksumOf, directory, file, goodWorkspace, largeFile, symlink } from '../support/forge/archive.js';
import { member } from '../support/forge/members.js';
import { Shelf, type Wrong, withIndex } from './support.js';

let shelf: Shelf;
beforeAll(() => {
  shelf = new Shelf();
});
afterAll(() => shelf?.remove());

const MIB = 1 << 20;
const workspace = [goodWorkspace(), [largeFile('workspace/x', Buffer.alloc(3 * MIB, 'x'))], [file('workspace/y', 'y')]];
const archive = (wrong: Wrong = {}) => Buffer.concat(withIndex({ workspace, ...wrong }));

describe('an index that tells the truth', () => {
  test('gives all entries, and where they are', async () => {
    const { entries, contents } = await shelf.contents(archive());
    expect(contents.source).toBe('index');
    expect(entries.map(({ name, kind, size, link }) => [name, kind, size, link])).toEqual([
      ['MANIFEST.json', 'file', expect.any(Number), null],
      ['config.yaml', 'file', expect.any(Number), null],
      ['setup.json', 'file', expect.any(Number), null],
      ['workspace/', 'directory', 0, null],
      ['workspace/dags/', 'directory', 0, null],
      ['workspace/dags/hello.py', 'file', 15, null],
      ['workspace/empty/', 'directory', 0, null],
      ['workspace/latest', 'symlink', 0, 'dags/hello.py'],
      ['workspace/x', 'file', 3 * MIB, null],
      ['workspace/y', 'file', 1, null],
      ['datastore.sql', 'file', expect.any(Number), null],
      ['INDEX.jsonl', 'file', expect.any(Number), null],
      ['SHA256SUMS', 'file', expect.any(Number), null],
    ]);
    const offsets = entries.map((entry) => entry.member ?? -1);
    expect(offsets.slice(0, 4)).toEqual([0, 0, 0, offsets[3]]);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(new Set(offsets).size).toBe(7);
  });

  test('in members of any size, cut anywhere', async () => {
    for (const step of [512, 1024]) expect((await shelf.contents(archive({ step }))).entries).toHaveLength(13);
  });

  test('says what was left out, and may say more than is known today', async () => {
    const index = (right: string) =>
      `${right.replaceAll(',"m":', ',"new":{"a":[1]},"m":')}{"out":".git","d":2,"f":1}\n{"later":true}\n{"out":"*.log","d":0,"f":7}\n`;
    const { contents, entries } = await shelf.contents(archive({ index }));
    expect(entries).toHaveLength(13);
    expect(contents.leftOut).toEqual([
      { rule: '.git', directories: 2, files: 1 },
      { rule: '*.log', directories: 0, files: 7 },
    ]);
  });

  test('that nobody promised is an entry like any other', async () => {
    const { contents, entries } = await shelf.contents(archive({ promised: false, index: () => 'anything' }));
    expect(contents).toMatchObject({ source: 'archive', leftOut: null });
    expect(entries.map(({ name }) => name)).toContain('INDEX.jsonl');
    expect(entries).toHaveLength(13);
    expect(new Set(entries.map((entry) => entry.member))).toEqual(new Set([null]));
  });
});

const at = (right: string, which: number) => Number(right.match(/"at":(\d+)/g)?.[which]?.slice(5));
const swapLines = (right: string, a: string, b: string) => {
  const lines = right.split('\n');
  const [i, j] = [a, b].map((text) => lines.findIndex((line) => line.includes(text))) as [number, number];
  [lines[i], lines[j]] = [lines[j] as string, lines[i] as string];
  return lines.join('\n');
};
/** Puts lines in front of the one that holds a text. */
const before = (right: string, text: string, ...more: string[]) =>
  right.replace(new RegExp(`^.*${text}.*$`, 'm'), (line) => [...more, line].join('\n'));
const entry = (name: string) => JSON.stringify({ n: name, k: 'f', m: 420, t: 1, s: 0 });

const lies: Record<string, (right: string) => string | Buffer> = {
  'it is empty': () => '',
  'it is no JSON': () => 'hello\n',
  'it is binary': () => Buffer.from([0, 255, 10, 128, 10]),
  'a line is a number': (right) => `${right}7\n`,
  'a line is a list': (right) => `${right}[]\n`,
  'a line is empty': (right) => right.replace('\n', '\n\n'),
  'a line nests without end': (right) => `${right}{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}x\n`,
  'a line is longer than any': (right) => `${right}{"out":"${'a'.repeat(70_000)}","d":0,"f":0}\n`,
  'a line of 3 MiB without an end': (right) => right + 'a'.repeat(3 * MIB),
  'its last line has no end': (right) => right.slice(0, -1),
  'it ends early': (right) => right.slice(0, right.indexOf('{"n":"workspace/y"')),
  'it ends before a member': (right) => right.slice(0, right.lastIndexOf('{"at"')),
  'a member is missing': (right) => right.replace(/\{"at":\d+\}\n\{"n":"workspace\/x".*\n/, ''),
  'a member is named twice': (right) => right.replace(/(\{"at":\d+\}\n)(?=\{"n":"workspace\/x")/, '$1$1'),
  'two members changed places': (right) =>
    right.replace(/(\{"at":\d+\}\n)(\{"n":"workspace\/x".*\n)(\{"at":\d+\}\n)/, '$3$2$1'),
  'an offset is one off': (right) => right.replace(`"at":${at(right, 2)}`, `"at":${at(right, 2) + 1}`),
  'an offset is that of a continuation': (right) => right.replace(`"at":${at(right, 2)}`, `"at":${at(right, 3) - 100}`),
  'an offset is behind the end': (right) => right.replace(`"at":${at(right, 2)}`, '"at":99999999999'),
  'an offset is negative': (right) => right.replace('"at":0', '"at":-1'),
  'an offset is no number': (right) => right.replace('"at":0', '"at":"0"'),
  'an offset is infinite': (right) => right.replace('"at":0', '"at":1e999'),
  'entries come before a member': (right) => right.replace('{"at":0}\n', ''),
  'an entry is there twice': (right) => before(right, 'hello.py', entry('workspace/dags/hello.py')),
  'an entry is out of order': (right) => swapLines(right, 'workspace/empty/', 'workspace/latest'),
  'an entry is below a file': (right) => before(right, 'workspace/empty/', entry('workspace/dags/hello.py/x')),
  'a known file is there twice': (right) => before(right, 'workspace/y', entry('config.yaml')),
  'it describes SHA256SUMS': (right) => before(right, 'workspace/y', entry('SHA256SUMS')),
  'it describes itself': (right) => before(right, 'workspace/y', entry('INDEX.jsonl')),
  'there are more entries than fit': (right) =>
    before(right, 'workspace/y', ...Array.from({ length: 9 }, (_, n) => entry(`workspace/xx${n}`))),
  'an entry is larger than its member': (right) => right.replace('"s":15', '"s":5000'),
  'an entry is larger than anything': (right) => right.replace('"s":15', `"s":${Number.MAX_SAFE_INTEGER}`),
  'a large file is larger than its members': (right) => right.replace(`"s":${3 * MIB}`, `"s":${3 * MIB + 1024}`),
  'a large file is not alone': (right) => before(right, '"workspace/x"', entry('workspace/w')),
  'a large file is a directory': (right) => right.replace('"workspace/x","k":"f"', '"workspace/x","k":"d"'),
  'a size is negative': (right) => right.replace('"s":15', '"s":-15'),
  'a size is a fraction': (right) => right.replace('"s":15', '"s":1.5'),
  'a mode is too great': (right) => right.replace('"m":420', '"m":4096'),
  'a mode is missing': (right) => right.replace('"m":420,', ''),
  'a time is a text': (right) => right.replace(/"t":\d+/, '"t":"now"'),
  'a kind is unknown': (right) => right.replace('"k":"l"', '"k":"x"'),
  'a kind is an object': (right) => right.replace('"k":"l"', '"k":{"toString":1,"valueOf":1}'),
  'a kind nests without end': (right) => right.replace('"k":"l"', `"k":${'['.repeat(20_000)}${']'.repeat(20_000)}`),
  'a kind is a list of one': (right) => right.replace('"k":"l"', '"k":["l"]'),
  'a link has no target': (right) => right.replace(',"l":"dags/hello.py"', ''),
  'a link has an empty target': (right) => right.replace(',"l":"dags/hello.py"', ',"l":""'),
  'a target has a NUL': (right) => right.replace(',"l":"dags/hello.py"', ',"l":"a\\u0000b"'),
  'a file has a target': (right) => right.replace('"s":15', '"s":15,"l":"x"'),
  'entries come behind the rules': (right) => before(right, 'workspace/y', '{"out":".git","d":1,"f":0}'),
  'a rule counts backwards': (right) => `${right}{"out":".git","d":-1,"f":0}\n`,
  'there are rules without end': (right) => right + '{"out":".git","d":1,"f":0}\n'.repeat(100_001),
};

describe('an index that lies', () => {
  for (const [lie, index] of Object.entries(lies)) {
    test(lie, async () => {
      const { code, message } = await shelf.refusal(archive({ index }));
      expect({ code, message }).toEqual({ code: 'ARCHIVE_DAMAGED', message: expect.stringContaining('INDEX.jsonl') });
      expect(message.length).toBeLessThan(400);
    });
  }

  const names = {
    absolute: '/etc/passwd',
    'climbing out': 'workspace/../../x',
    'climbing out at its end': 'workspace/dags/..',
    'with an empty part': 'workspace//x',
    'with a dot': 'workspace/./x',
    'with ./ in front': './workspace/i',
    'with a NUL': 'workspace/i\0',
    'that is empty': '',
    'that is the archive': './',
    'with a part that is too long': `workspace/${'i'.repeat(256)}`,
    'that is too long': `workspace/${'i/'.repeat(2100)}i`,
    'of a directory, for a file': 'workspace/i/',
  };
  for (const [how, name] of Object.entries(names)) {
    test(`a name ${how}`, async () => {
      const index = (right: string) => right.replace('"workspace/y"', () => JSON.stringify(name));
      expect(await shelf.refusal(archive({ index }))).toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    });
  }

  test('anything at all in the place of any part of it', async () => {
    const right = withIndex({ workspace });
    expect(right.length).toBeGreaterThan(8);
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      length: fc.integer({ min: 0, max: 40 }),
      text: fc.oneof(fc.string(), fc.constantFrom('"', '{', '}', '\n', '0', '9'.repeat(30), 'null', '\ud800')),
    });
    const property = fc.asyncProperty(change, async ({ at: share, length, text }) => {
      const index = (whole: string) => {
        const from = Math.floor(share * whole.length);
        return whole.slice(0, from) + text + whole.slice(from + length);
      };
      const said = await shelf.contents(archive({ index })).catch((error: { code?: unknown }) => error.code);
      // It may still be possible, with another time or name; then it is as long as it was.
      if (typeof said === 'string') expect(said).toBe('ARCHIVE_DAMAGED');
      else expect(said).toMatchObject({ entries: { length: 13 } });
    });
    await fc.assert(property, { numRuns: 300, seed: 20261127 });
  });
});

describe('an index that is not what it should be', () => {
  const damaged = async (bytes: Buffer) =>
    expect(await shelf.refusal(bytes)).toMatchObject({ code: 'ARCHIVE_DAMAGED' });

  test('its checksum is another', () =>
    damaged(archive({ sums: (right) => right.replace(/[0-9a-f]{64}(?= {2}INDEX)/, '0'.repeat(64)) })));
  test('SHA256SUMS does not list it', () => damaged(archive({ sums: (right) => right.replace(/.*INDEX.*\n/, '') })));
  test('SHA256SUMS lists it, but not last', () =>
    damaged(archive({ sums: (right) => right + checksumOf('workspace/zz', '') })));
  test('SHA256SUMS is empty', () => damaged(archive({ sums: () => '' })));
  test('it is promised and missing', () =>
    damaged(archive({ tail: ([, sums]) => (sums === undefined ? [] : [sums]) })));
  test('it stands behind SHA256SUMS', () => damaged(archive({ tail: (files) => files.reverse() })));
  test('SHA256SUMS is missing', () => damaged(archive({ tail: (files) => files.slice(0, 1) })));
  test('something stands behind it', () =>
    damaged(archive({ tail: (files) => [...files, largeFile('more', Buffer.from('more'))] })));

  test('a byte of it is changed', async () => {
    const members = withIndex({ workspace });
    const own = members.at(-4) as Buffer;
    for (let byte = 25; byte < own.length; byte += 7) {
      const flipped = Buffer.from(own);
      flipped[byte] = (flipped[byte] as number) ^ 0x20;
      await damaged(Buffer.concat([...members.slice(0, -4), flipped, ...members.slice(-3)]));
    }
  });

  test('a member of it is a bomb', async () => {
    const members = withIndex({ workspace });
    const bomb = member(Buffer.alloc(7 * MIB), { kind: 'C' });
    await damaged(Buffer.concat([...members.slice(0, -4), bomb, ...members.slice(-3)]));
  });

  test('the archive is cut off, at any member and within', async () => {
    const members = withIndex({ workspace });
    for (let kept = 0; kept < members.length; kept += 1) {
      const { code } = await shelf.refusal(Buffer.concat(members.slice(0, kept)));
      expect({ kept, code }).toEqual({ kept, code: kept === 0 ? 'NOT_AN_ARCHIVE' : 'ARCHIVE_TRUNCATED' });
      const next = (members[kept] as Buffer).subarray(0, 30);
      const within = await shelf.refusal(Buffer.concat([...members.slice(0, kept), next]));
      expect({ kept, code: within.code }).toEqual({ kept, code: 'ARCHIVE_TRUNCATED' });
    }
  });
});

test('names that only look dangerous are taken', async () => {
  const odd = ['-rf', ' ', '[a]', 'a\nb', 'b\\n', 'c\u0007', 'n'.repeat(80), '日本', '🦊'];
  const workspace = [
    [directory('workspace/'), ...odd.map((name) => file(`workspace/${name}`, name)), symlink('workspace/🦊🦊', '\n')],
  ];
  const expected = [...odd, '🦊🦊'].map((name) => `workspace/${name}`);
  // In path order as they stand here.
  expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  workspace[0]?.sort((a, b) => Buffer.compare(a.records, b.records));
  const { entries } = await shelf.contents(Buffer.concat(withIndex({ workspace })));
  expect(entries.map(({ name }) => name as string).filter((name) => /^workspace\/./.test(name))).toEqual(expected);
});
