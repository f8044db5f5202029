/** One name, two entries: an archive that has both a and not-a says nothing. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  blocksOf,
  CONFIG,
  DUMP,
  directory,
  type Forged,
  file,
  goodWorkspace,
  hardlink,
  type Ingredients,
  indexed,
  largeFile,
  manifest,
  raw,
  SETUP,
  streamed,
  symlink,
} from '../../support/forge/archive.js';
import { gnuLong, pax, records } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { extract, list } from '../../support/library.js';
import { Arena, everyWay, failure, refusesEveryWay } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());
const refused = refusesEveryWay(() => arena);
const big = Buffer.alloc(3000, 'x');

describe('in the workspace', () => {
  const twice = { code: 'ARCHIVE_UNSAFE', says: /"(workspace\/)?a\/?"/ } as const;
  const pairs: Record<string, Forged[]> = {
    'a file': [file('workspace/a', 'x'), file('workspace/a', 'y')],
    'a file, the second time as ./': [file('workspace/a', 'x'), raw(records({ name: './workspace/a' }, 'y'))],
    'a file, the second time by a GNU long name': [
      file('workspace/a', 'x'),
      raw(gnuLong('L', 'workspace/a'), records({ name: 'workspace/b' }, 'y')),
    ],
    'a file, the second time by a PAX record': [
      file('workspace/a', 'x'),
      raw(pax({ path: 'workspace/a' }), records({ name: 'workspace/b' }, 'y')),
    ],
    'a file that has members of its own': [largeFile('workspace/a', big), largeFile('workspace/a', big)],
    'a hard link': [
      file('workspace/0'),
      hardlink('workspace/a', 'workspace/0'),
      hardlink('workspace/a', 'workspace/0'),
    ],
    'a file and a hard link': [file('workspace/0'), file('workspace/a'), hardlink('workspace/a', 'workspace/0')],
    'a file and a directory': [file('workspace/a'), directory('workspace/a/')],
  };
  for (const [what, entries] of Object.entries(pairs)) refused(what, () => entries, twice);

  const above = { code: 'ARCHIVE_UNSAFE', says: /"(workspace\/)?a(\/b)?"/ } as const;
  const parents: Record<string, Forged[]> = {
    'a file as the directory of a file': [file('workspace/a'), file('workspace/a/b')],
    'a large file as the directory of a file': [largeFile('workspace/a', big), file('workspace/a/b')],
    'a file as the directory of a large file': [file('workspace/a'), largeFile('workspace/a/b', big)],
    'a file as the directory of a directory': [file('workspace/a'), directory('workspace/a/b/')],
    'a file as the directory of a symlink': [file('workspace/a'), symlink('workspace/a/b', 'x')],
    'a hard link as the directory of a file': [
      file('workspace/0'),
      hardlink('workspace/a', 'workspace/0'),
      file('workspace/a/b'),
    ],
  };
  for (const [what, entries] of Object.entries(parents)) refused(what, () => entries, above);

  test('a directory is no more for being named twice, or after what lies in it', async () => {
    const entries = [
      directory('workspace/a/', { mode: 0o700 }),
      file('workspace/a/b'),
      directory('workspace/a/', { mode: 0o750 }),
    ];
    await arena.restore(everyWay(entries)['as a stream'] as Buffer, { dryRun: true });
    await arena.restore(everyWay(entries)['as a stream'] as Buffer);
    expect(arena.restored().get('a')).toMatchObject({ kind: 'directory', mode: '750' });
  });
});

describe('members out of path order', () => {
  const says = 'out of order or twice';
  const order = (name: string, workspace: Forged[][]) =>
    test(name, () =>
      arena.refuses(indexed(blocksOf({ workspace })), { code: 'ARCHIVE_UNSAFE', kind: 'refused', says }),
    );
  order('in a block', [[file('workspace/b'), file('workspace/a')]]);
  order('across blocks', [[file('workspace/b')], [file('workspace/a')]]);
  order('a large file behind a block', [[file('workspace/b')], [largeFile('workspace/a', big)]]);
  order('a block behind a large file', [[largeFile('workspace/b', big)], [file('workspace/a')]]);
  order('by bytes, not by the slash', [[file('workspace/a-b'), file('workspace/a/b')]]);
  order('with a block between that has nothing of the workspace', [
    [file('workspace/b')],
    [raw(records({ name: 'unknown' }, 'x'))],
    [file('workspace/a')],
  ]);
});

describe('beside the workspace', () => {
  const says = 'there is more than one "other" in it';
  const twice = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says } as const;
  const other = file('other', 'x');
  const pairs: Record<string, Forged[]> = {
    'a file': [other, file('other', 'y')],
    'a file, the second time as ./': [other, file('./other', 'y')],
    'a large file': [largeFile('other', big), largeFile('other', big)],
    'a file and a large one': [other, largeFile('other', big)],
    'a file and a directory': [other, directory('other/')],
    'a link and a file': [symlink('other', '/etc/passwd'), other],
  };
  for (const [what, pair] of Object.entries(pairs)) {
    test(what, async () => {
      for (const ingredients of [{ setup: pair }, { behind: pair }] satisfies Ingredients[]) {
        for (const archive of [streamed(blocksOf(ingredients)), indexed(blocksOf(ingredients))]) {
          await arena.refuses(archive, twice);
          const listed = await failure(list({ archive: arena.archive }));
          expect(listed).toMatchObject({ code: 'ARCHIVE_DAMAGED', message: expect.stringContaining(says) });
        }
        writeFileSync(arena.archive, streamed(blocksOf(ingredients)));
        const extracted = extract({ archive: arena.archive, patterns: ['dags'], to: arena.outside, dryRun: true });
        expect(await failure(extracted)).toMatchObject({
          code: 'ARCHIVE_DAMAGED',
          message: expect.stringContaining(says),
        });
      }
    });
  }

  test('a hundred names are none too many, and a hundred thousand are', async () => {
    const named = (directory: string, count: number) =>
      Array.from({ length: count }, (_, n) => raw(records({ name: `${directory}/${n}` })));
    const few = named('others', 100);
    const many = Array.from({ length: 10 }, (_, part) => named(`others/${part}`, 10_000));
    for (const make of [streamed, indexed]) {
      await arena.restore(make(blocksOf({ workspace: [goodWorkspace(), few] })), { dryRun: true });
      await arena.refuses(make(blocksOf({ workspace: [goodWorkspace(), ...many] })), {
        code: 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: 'there are more than 10000 entries beside the workspace in it',
      });
    }
  });
});

describe('the known files', () => {
  const cases: Record<string, Ingredients> = {
    'MANIFEST.json': { manifest: [manifest(), manifest({ manifest_version: 1 })] },
    'config.yaml': { config: [file('config.yaml', CONFIG), file('config.yaml', 'workspace: /etc\n')] },
    'setup.json': { setup: [file('setup.json', SETUP), file('setup.json', '{}')] },
    'datastore.sql': {
      dump: [largeFile('datastore.sql', Buffer.from(DUMP)), largeFile('datastore.sql', Buffer.from(DUMP))],
    },
    SHA256SUMS: { behind: [largeFile('SHA256SUMS', Buffer.from('x'))] },
  };
  for (const [name, ingredients] of Object.entries(cases)) {
    const says = `there is more than one ${name} in it`;
    const twice = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says } as const;
    test(name, async () => {
      await arena.refuses(streamed(blocksOf(ingredients)), twice);
      await arena.refuses(indexed(blocksOf(ingredients)), twice);
    });
    test(`${name}, the second one as a small file far behind`, async () => {
      const behind = [file(`./${name}`, name === 'MANIFEST.json' ? '{"manifest_version":1}' : 'x')];
      await arena.refuses(streamed(blocksOf({ behind })), twice);
      await arena.refuses(indexed(blocksOf({ behind })), twice);
    });
  }

  // Other tars would put them in the place of the file, or write through them.
  for (const [other, says] of [
    [directory('MANIFEST.json/'), '"MANIFEST.json/" is a directory, not a file'],
    [symlink('config.yaml', '/etc/passwd'), '"config.yaml" is a symbolic link, not a file'],
    [hardlink('setup.json', 'workspace/x'), '"setup.json" is a hard link, not a file'],
    [symlink('./datastore.sql', 'workspace/x'), '"./datastore.sql" is a symbolic link, not a file'],
    [directory('SHA256SUMS/'), '"SHA256SUMS/" is a directory, not a file'],
    [symlink('INDEX.jsonl', 'workspace/x'), '"INDEX.jsonl" is a symbolic link, not a file'],
    [raw(records({ name: 'config.yaml', type: '3' })), '"config.yaml" is a device or a FIFO'],
  ] as const) {
    test(`as something else: ${says}`, async () => {
      for (const archive of [streamed(blocksOf({ behind: [other] })), indexed(blocksOf({ behind: [other] }))]) {
        await arena.refuses(archive, { code: 'ARCHIVE_UNSAFE', kind: 'refused', says });
        writeFileSync(arena.archive, archive);
        const listed = await failure(list({ archive: arena.archive }));
        expect(listed).toMatchObject({ code: 'ARCHIVE_UNSAFE', message: expect.stringContaining(says) });
      }
    });
  }
});
