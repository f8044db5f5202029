/** SHA256SUMS that says something else than the archive. docs/format.md, "SHA256SUMS". */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  blocksOf,
  checksumOf,
  file,
  type Ingredients,
  indexed,
  MANIFEST,
  manifest,
  raw,
  streamed,
} from '../../support/forge/archive.js';
import { pax, records } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, type Refusal } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const mismatch = (says: string | RegExp): Refusal => ({ code: 'CHECKSUM_MISMATCH', kind: 'failed', says });
const bad: Refusal = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: 'a line of its SHA256SUMS is none: "' };

function refused(name: string, ingredients: Ingredients, refusal: Refusal): void {
  test(name, async () => {
    for (const archive of [streamed(blocksOf(ingredients)), indexed(blocksOf(ingredients))])
      await arena.refuses(archive, refusal);
  });
}
const sums = (change: (right: string) => string | Buffer): Ingredients => ({ sums: change });
const HELLO = 'workspace/dags/hello.py';

describe('SHA256SUMS is refused', () => {
  refused(
    'with a wrong sum',
    sums((right) => right.replace(/^(.)(.*hello.py)$/m, (_, a, rest) => (a === '0' ? '1' : '0') + rest)),
    mismatch(`"${HELLO}" differs`),
  );
  refused(
    'with a wrong sum of each of the known files',
    sums((right) => right.replaceAll(/^.{64} {2}(?=config|setup|MANIFEST|datastore)/gm, `${'0'.repeat(64)}  `)),
    mismatch(/"MANIFEST.json" differs, "config.yaml" differs, "setup.json" differs, "datastore.sql" differs/),
  );
  refused(
    'without a line of a file',
    sums((right) => right.replace(/^.*hello.py\n/m, '')),
    mismatch(`"${HELLO}" is not listed`),
  );
  refused(
    'with nothing in it',
    sums(() => ''),
    mismatch(/"MANIFEST.json" is not listed, .* is not listed/),
  );
  refused(
    'with a line of a file that is not there',
    sums((right) => right + checksumOf('workspace/more.py', 'x')),
    mismatch('"workspace/more.py" is missing'),
  );
  refused(
    'with a line of a file outside',
    sums((right) => right + checksumOf('/etc/passwd', 'x')),
    mismatch('"/etc/passwd" is missing'),
  );
  refused(
    'with a line twice',
    sums((right) => `${right + right.split('\n')[3]}\n`),
    mismatch('is listed twice'),
  );
  refused(
    'with two lines of one file, one of them right',
    sums((right) => checksumOf(HELLO, 'other') + right),
    mismatch('is listed twice'),
  );
  refused(
    'with a line of itself',
    sums((right) => right + checksumOf('SHA256SUMS', 'x')),
    mismatch('"SHA256SUMS" is missing'),
  );
  refused(
    'with names of other files',
    sums((right) => right.replace('hello.py', 'hallo.py')),
    mismatch(`"${HELLO}" is not listed, "workspace/dags/hallo.py" is missing`),
  );
  refused(
    'with so many errors that only some are named',
    sums((right) => right + Array.from({ length: 5000 }, (_, i) => checksumOf(`workspace/${i}`, '')).join('')),
    mismatch(/"workspace\/4" is missing and 4995 more$/),
  );
  refused(
    'with more errors than anybody counts',
    sums((right) => right + Array.from({ length: 20_000 }, (_, i) => checksumOf(`workspace/${i}`, '')).join('')),
    mismatch(/"workspace\/4" is missing and at least 9995 more$/),
  );
  refused(
    'with far more than there is, also one line again and again',
    sums((right) => right + checksumOf('x', '').repeat(600_000)),
    { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: 'its SHA256SUMS lists far more than what is in it' },
  );
  refused(
    'with an empty line',
    sums((right) => `${right}\n`),
    bad,
  );
  refused(
    'with a comment',
    sums((right) => `# sums\n${right}`),
    bad,
  );
  refused(
    'with MD5 sums',
    sums((right) => right.replaceAll(/^.{32}/gm, '')),
    bad,
  );
  refused(
    'in upper case',
    sums((right) => right.replaceAll(/^.{64}/gm, (sum) => sum.toUpperCase())),
    bad,
  );
  refused(
    'with line ends of another system',
    sums((right) => right.replaceAll('\n', '\r\n')),
    mismatch(/"MANIFEST.json" is not listed/),
  );
  refused(
    'with bytes that are no UTF-8',
    sums(() => Buffer.alloc(3000, 0xfe)),
    bad,
  );
  refused(
    'with a name that is not UTF-8',
    sums((right) =>
      Buffer.concat([
        Buffer.from(right),
        Buffer.from(checksumOf('workspace/', 'x').slice(0, -1)),
        Buffer.from([0xff, 0x0a]),
      ]),
    ),
    mismatch('"workspace/\ufffd" is missing'),
  );
  refused(
    'with zeros',
    sums(() => Buffer.alloc(100_000)),
    bad,
  );
  refused(
    'with a line that never ends',
    sums((right) => right + 'x'.repeat(3 << 20)),
    bad,
  );
  refused(
    'with a name that never ends',
    sums((right) => right + checksumOf('n'.repeat(3 << 20), 'x')),
    bad,
  );
  refused(
    'with a wrong sum, where the manifest promises none',
    {
      manifest: [manifest({ ...MANIFEST, checksums: undefined })],
      sums: (right) => right.replace('hello', 'hallo'),
    },
    mismatch('hallo'),
  );
});

describe('SHA256SUMS is taken', () => {
  let arena: Arena;
  beforeEach(() => {
    arena = new Arena();
  });
  afterEach(() => arena.remove());

  function taken(name: string, ingredients: Ingredients): void {
    test(name, async () => {
      for (const archive of [streamed(blocksOf(ingredients)), indexed(blocksOf(ingredients))]) {
        await arena.restore(archive, { dryRun: true });
        await arena.restore(archive);
      }
    });
  }
  const reversed = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .reverse()
      .map((line) => `${line}\n`)
      .join('');
  taken('in any order', sums(reversed));
  taken(
    'as sha256sum --binary writes it',
    sums((right) => right.replaceAll(/^(.{64}) {2}/gm, '$1 *')),
  );
  taken(
    'without a line break at its end',
    sums((right) => right.slice(0, -1)),
  );
  taken('or none, where none is promised', {
    manifest: [manifest({ ...MANIFEST, checksums: undefined })],
    sums: () => null,
  });

  const odd = ['back\\slash', 'carriage\rreturn', 'carriagerreturn', 'new\nline', 'newnline', 'r\\n'].sort();
  const escaped = (name: string, content: string) => {
    const line = checksumOf(name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r'), content);
    return /[\\\n\r]/.test(name) ? `\\${line}` : line;
  };
  const names = odd.map((name) => ({ ...file(`workspace/${name}`, name), line: escaped(`workspace/${name}`, name) }));
  taken('with names that are escaped', { workspace: [names] });
  taken('with names that are escaped, in any order', { workspace: [names], sums: reversed });
  taken('with a carriage return that is not escaped, as older coreutils write it', {
    workspace: [names],
    sums: (right) => right.replace(/^\\(.*)carriage\\rreturn/m, '$1carriage\rreturn'),
  });

  const newer = file('extra.json', '{"of": "a newer writer"}');
  const unlisted = raw(records({ name: 'README' }, 'repacked with it'));
  taken('with a file that a newer writer has added', {
    setup: [newer, file('./also.json', 'x')].map((one, at) =>
      at === 0 ? one : { ...one, line: checksumOf('also.json', 'x') },
    ),
  });
  taken('with such a file, in any order', { setup: [newer, unlisted], sums: reversed });
  const another = raw(records({ name: 'README.md' }, 'repacked with it'));
  taken('without files that are none of ours', { setup: [unlisted, another] });
  test('but not where such a file differs', async () => {
    const differs = { setup: [{ ...newer, line: checksumOf('extra.json', 'something else') }] };
    for (const archive of [streamed(blocksOf(differs)), indexed(blocksOf(differs))])
      await arena.refuses(archive, mismatch('"extra.json" differs'));
  });

  test('of more files than are compared at once', async () => {
    // By their number, and by the bytes of their names.
    const directory = `workspace/${`${'d'.repeat(230)}/`.repeat(4)}`;
    const many = Array.from({ length: 20_000 }, (_, i) => `${directory}${String(i).padStart(5, '0')}`).map((name) => ({
      line: checksumOf(name, ''),
      records: Buffer.concat([pax({ path: name }), records({ name: 'x' })]),
    }));
    const ingredients: Ingredients = { workspace: [many.slice(0, 10_000), many.slice(10_000)], sums: reversed };
    const archive = streamed(blocksOf(ingredients));
    const { workspace } = await arena.restore(archive, { dryRun: true });
    expect(workspace?.files).toBe(20_000);
    const twice: Ingredients = { workspace: [many, [many[19_000] as (typeof many)[0]]] };
    await arena.refuses(streamed(blocksOf(twice)), {
      code: 'ARCHIVE_UNSAFE',
      kind: 'refused',
      says: 'stands in it twice',
    });
  });
});
