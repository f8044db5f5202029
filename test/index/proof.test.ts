/** Whoever reads all of an archive finds an index out that does not say what is in it; one that says the same in other words is taken. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lastLines } from '../../src/engine/archive/index.js';
import {
  checksumOf,
  directory,
  type Forged,
  file,
  goodWorkspace,
  hardlink,
  largeFile,
  symlink,
} from '../support/forge/archive.js';
import { MTIME, pax, records } from '../support/forge/tar.js';
import { lendWorkers } from '../support/lent-workers.js';
import { Shelf as Verified } from '../verify/support.js';
import { Shelf, type Wrong, withIndex } from './support.js';

lendWorkers();

let shelf: Verified;
/** What is read by the index alone. */
let listed: Shelf;
beforeAll(() => {
  shelf = new Verified();
  listed = new Shelf();
});
afterAll(() => {
  shelf?.remove();
  listed?.remove();
});

const MIB = 1 << 20;
const workspace = [goodWorkspace(), [largeFile('workspace/x', Buffer.alloc(3 * MIB, 'x'))], [file('workspace/y', 'y')]];
const archive = (wrong: Wrong = {}) => Buffer.concat(withIndex({ workspace, ...wrong }));
/** Of the n-th line that holds a text, something else. */
const line = (text: string, make: (line: string) => string) => (right: string) =>
  right.replace(new RegExp(`^.*${text}.*\n`, 'm'), make);

const LIE = 'its INDEX.jsonl does not say what is in it';

/** Lies that hold together with the members, so that whoever does not read these has to believe them. */
const lies: Record<string, (right: string) => string> = {
  'another name': line('hello.py', (one) => one.replace('hello.py', 'hello.md')),
  'a file less': line('hello.py', () => ''),
  'a file more': line('workspace/empty/', (one) => `{"n":"workspace/e","k":"f","m":420,"t":1,"s":0}\n${one}`),
  'another size': line('hello.py', (one) => one.replace('"s":15', '"s":14')),
  'another mode': line('hello.py', (one) => one.replace(/"m":\d+/, '"m":420')),
  'another time': line('hello.py', (one) => one.replace(/"t":\d+/, '"t":1')),
  'another kind': line('workspace/empty/', () => '{"n":"workspace/empty","k":"f","m":420,"t":1,"s":0}\n'),
  'another target': line('latest', (one) => one.replace('dags/hello.py', 'dags/hullo.py')),
  'another name of a large file': line('workspace/x', (one) => one.replace('workspace/x', 'workspace/w')),
  'another time of a large file': line('workspace/x', (one) => one.replace(/"t":\d+/, '"t":1')),
  'another name for the dump': line('datastore', (one) => one.replace('datastore.sql', 'datastore.txt')),
  'another time of the dump': line('datastore', (one) => one.replace(/"t":\d+/, '"t":1')),
  'another mode of config.yaml': line('config.yaml', (one) => one.replace(/"m":\d+/, '"m":420')),
  'another name in the last block': line('workspace/y', (one) => one.replace('workspace/y', 'workspace/z')),
  'two files changed their names': (right) =>
    right.replace('"workspace/x"', '"workspace/?"').replace('"workspace/y"', '"workspace/z"').replace('?', 'y'),
  'an entry has moved on to the next member': (right) =>
    right.replace(/(.*latest.*\n)(\{"at":\d+\}\n)(.*workspace\/x.*\n\{"at":\d+\}\n)/, '$2$3$1'),
};

describe('an index that cannot be told from a true one by itself', () => {
  for (const [lie, index] of Object.entries(lies)) {
    test(lie, async () => {
      const bytes = archive({ index });
      const { verdict, problems, entryCount } = await shelf.verdict(bytes);
      expect({ verdict, problems, entryCount }).toEqual({
        verdict: 'damaged',
        problems: [{ code: 'ARCHIVE_DAMAGED', message: expect.stringContaining('INDEX.jsonl') }],
        entryCount: 0,
      });
    });
  }

  test('is believed by those who read no more', async () => {
    const { entries } = await listed.contents(archive({ index: lies['another name'] as (right: string) => string }));
    expect(entries.map(({ name }) => name)).toContain('workspace/dags/hello.md');
  });

  test('is called a liar', async () => {
    for (const lie of ['another name', 'a file less', 'another time of the dump']) {
      const { problems } = await shelf.verdict(archive({ index: lies[lie] as (right: string) => string }));
      expect(problems[0]?.message).toContain(LIE);
    }
  });
});

describe('an index that is refused by itself', () => {
  const whole: Record<string, Wrong> = {
    'it is empty': { index: () => '' },
    'it is no JSON': { index: () => 'hello\n' },
    'it ends early': { index: (right) => right.slice(0, right.indexOf('{"n":"workspace/y"')) },
    'its last line has no end': { index: (right) => right.slice(0, -1) },
    'a line behind is none': { index: (right) => `${right}hello\n` },
    'a line behind has no end': { index: (right) => `${right}{"out":".git","d":1,"f":0}` },
    'entries come behind the rules': {
      index: (right) => `${right}{"out":".git","d":1,"f":0}\n{"n":"workspace/z","k":"f","m":420,"t":1,"s":0}\n`,
    },
    'entries come behind': { index: (right) => `${right}{"n":"workspace/z","k":"f","m":420,"t":1,"s":0}\n` },
    'a member comes behind': { index: (right) => `${right}{"at":99}\n` },
    'there are rules without end': { index: (right) => right + '{"out":".git","d":1,"f":0}\n'.repeat(100_001) },
    'a line behind is longer than any': { index: (right) => `${right}{"out":"${'a'.repeat(70_000)}","d":0,"f":0}\n` },
    'it says how much is missing, but not last': {
      index: (right) => `${right}{"incomplete":1}\n{"out":"a","d":1,"f":0}\n`,
    },
    'it says twice how much is missing': { index: (right) => `${right}{"incomplete":1}\n{"incomplete":1}\n` },
    'it says so in front of entries': {
      index: (right) => right.replace('{"n":"workspace/y"', (entry) => `{"incomplete":1}\n${entry}`),
    },
    'nothing is missing, and it says so': { index: (right) => `${right}{"incomplete":0}\n` },
    'it says that something is missing, but not how much': { index: (right) => `${right}{"incomplete":true}\n` },
    'it is promised and missing': { tail: ([, sums]) => (sums === undefined ? [] : [sums]), sums: without },
    'something stands behind it': {
      tail: ([index, sums]) => [index, largeFile('workspace/zz', Buffer.from('zz')), sums] as Forged[],
      sums: (right) => `${right}${checksumOf('workspace/zz', 'zz')}`,
    },
    'SHA256SUMS lists it, but not last': {
      sums: (right) => right.replace(/([^\n]*config[^\n]*\n)(.*)/s, '$2$1'),
    },
  };
  function without(right: string) {
    return right.replace(/.*INDEX.*\n/, '');
  }
  for (const [what, wrong] of Object.entries(whole)) {
    test(`${what}: nobody takes it`, async () => {
      const bytes = archive(wrong);
      expect(await listed.refusal(bytes)).toMatchObject({ code: 'ARCHIVE_DAMAGED' });
      const { verdict, problems } = await shelf.verdict(bytes);
      expect({ verdict, code: problems[0]?.code }).toEqual({ verdict: 'damaged', code: 'ARCHIVE_DAMAGED' });
    });
  }
});

describe('an index that tells the truth', () => {
  const good = async (bytes: Buffer) => {
    const { verdict, problems } = await shelf.verdict(bytes);
    expect({ verdict, problems }).toEqual({ verdict: 'good', problems: [] });
  };

  test('as we write it, in members of any size', async () => {
    await good(archive());
    for (const step of [512, 1024]) await good(archive({ step }));
  });

  test('with rules behind it', () =>
    good(archive({ index: (right) => `${right}{"out":".git","d":2,"f":1}\n{"out":"*.log","d":0,"f":7}\n` })));

  test('with a last line that says how much is missing', async () => {
    const rule = '{"out":".git","d":2,"f":1}\n';
    for (const end of [
      '{"incomplete":3}\n',
      `${rule}{"incomplete":3}\n`,
      `${rule}{"later":true}\n{"incomplete":3}\n`,
    ]) {
      const bytes = archive({ index: (right) => right + end });
      await good(bytes);
      expect((await shelf.verdict(bytes)).incomplete).toBe(3);
      expect((await listed.contents(bytes)).contents.incomplete).toBe(3);
    }
    expect((await shelf.verdict(archive())).incomplete).toBe(0);
  });

  test('with more rules than are looked at as they pass', () =>
    good(archive({ index: (right) => right + '{"out":".git","d":1,"f":0}\n'.repeat(60_000) })));

  test('with as many rules as there are, of an archive that is not complete: no more lines than anybody takes', async () => {
    const rules = Array.from({ length: 100_001 }, (_, n) => ({
      rule: `x (${n}/.leoflowignore)`,
      directories: 0,
      files: 1,
    }));
    const bytes = archive({ index: (right) => right + lastLines(rules, 3) });
    await good(bytes);
    const { contents } = await listed.contents(bytes);
    expect(contents).toMatchObject({ incomplete: 3, leftOut: rules.slice(0, 1000) });
  });

  test('with keys in another order, with spaces, escaped', async () => {
    await good(archive({ index: (right) => right.replace(/"n":("[^"]*"),"k":("[^"]*")/g, '"k":$2, "n" : $1') }));
    await good(archive({ index: (right) => right.replace('hello.py', 'h\\u0065llo.py') }));
  });

  test('with keys and lines that are not known today', () =>
    good(archive({ index: (right) => `${right.replaceAll(',"m":', ',"new":{"a":[1]},"m":')}{"later":true}\n` })));

  test('that nobody has promised is not looked at', async () => {
    await good(archive({ promised: false, index: () => 'anything' }));
    await good(archive({ promised: false, index: lies['another name'] as (right: string) => string }));
  });

  test('of names, targets, modes and times of every kind', async () => {
    const odd = ['-rf', ' ', '[a]', '"', 'a\nb', 'b\\n', 'c\u0007', 'd\u2028', 'n'.repeat(80), '日本', '🦊'];
    const long = `workspace/${'o'.repeat(200)}`;
    const all = [
      directory('workspace/', { mode: 0 }),
      ...odd.map((name) => file(`workspace/${name}`, name, { mode: 0o4755 })),
      {
        records: Buffer.concat([
          pax({ path: long, mtime: '-1.5' }),
          records({ name: 'PaxHeader', mtime: 0, mode: 0 }, 'x'),
        ]),
        line: checksumOf(long, 'x'),
      },
      symlink('workspace/🦊🦊', '\n'),
    ];
    const nameOf = ({ records: bytes, line: sums }: Forged) =>
      sums === undefined ? bytes.toString('utf8', 0, 100).replace(/\0.*/s, '') : sums.slice(66, -1);
    all.sort((a, b) => Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b))));
    // Not as coreutils escape them: what SHA256SUMS says is another matter.
    const sums = (right: string) => right.replace(/^(.*)a\nb$/m, '\\$1a\\nb').replace(/^(.*)b\\n$/m, '\\$1b\\\\n');
    // Seconds, towards the past.
    await good(archive({ workspace: [all], sums, index: (right) => right.replace('"t":-1.5', '"t":-2') }));
  });

  test('of files that stand beside the workspace, and of names with ./ in front', async () => {
    const dotted = [directory('./workspace/'), file('./workspace/a', 'a')].map((one) => ({
      ...one,
      ...(one.line !== undefined && { line: one.line.replace('./', '') }),
    }));
    const beside = [directory('more/'), file('more/notes', 'notes'), symlink('more/link', 'notes')];
    await good(
      archive({
        workspace: [dotted, beside, [largeFile('zz', Buffer.from('zz'))]],
        index: (right) => right.replaceAll('"./', '"'),
      }),
    );
  });

  test('of a hard link, which it has to call a file', async () => {
    const linked = [directory('workspace/'), file('workspace/a', 'a'), hardlink('workspace/b', 'workspace/a')];
    const index = line('workspace/b', () => `{"n":"workspace/b","k":"f","m":420,"t":${MTIME},"s":0}\n`);
    await good(archive({ workspace: [linked], index }));
  });
});

test('what is wrong elsewhere is said first', async () => {
  const index = lies['another name'] as (right: string) => string;
  const sums = (right: string) => right.replace(/^[0-9a-f]{64}(?= {2}workspace\/y)/m, '0'.repeat(64));
  const { problems, entries } = await shelf.verdict(archive({ index, sums }));
  expect(problems[0]?.code).toBe('CHECKSUM_MISMATCH');
  expect(entries).toEqual([{ name: 'workspace/y', what: 'differs' }]);
  const cut = withIndex({ workspace, index }).slice(0, -1);
  expect((await shelf.verdict(Buffer.concat(cut))).problems[0]?.code).toBe('ARCHIVE_TRUNCATED');
});
