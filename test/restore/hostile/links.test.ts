/** Links as ways out: nothing is ever written through one, in whichever order they come. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  hardlink,
  indexed,
  raw,
  streamed,
  symlink,
} from '../../support/forge/archive.js';
import { gnuLong, MTIME, pax, records } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, everyWay, refusesEveryWay } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());
const refused = refusesEveryWay(() => arena);

describe('something beneath a symlink of the archive', () => {
  const both = { code: 'ARCHIVE_UNSAFE', says: /workspace\/a|"a"|"a\/b/ } as const;
  const beneath: Record<string, Forged> = {
    'a file': file('workspace/a/b', 'planted'),
    'a file in a directory': file('workspace/a/b/c', 'planted'),
    'an empty directory': directory('workspace/a/b/'),
    'a symlink': symlink('workspace/a/b', 'x'),
    'a symlink in a directory that is not there': symlink('workspace/a/b/c', 'x'),
    'a hard link': hardlink('workspace/a/b', 'workspace/0'),
  };
  for (const [what, entry] of Object.entries(beneath)) {
    refused(what, () => [file('workspace/0'), symlink('workspace/a', arena.outside), entry], both);
  }
  for (const target of ['../../outside/directory', '..', '../..', '.', 'a', '/', 'nowhere'])
    refused(`where it points to ${target}`, () => [symlink('workspace/a', target), file('workspace/a/b')], both);
  refused(
    'where the link has a long target',
    () => [
      raw(gnuLong('K', `${'./'.repeat(200)}../../outside`), records({ name: 'workspace/a', type: '2' })),
      file('workspace/a/b', 'planted'),
    ],
    both,
  );
  refused(
    'where the link has its target in a PAX record',
    () => [
      raw(pax({ linkpath: arena.outside }), records({ name: 'workspace/a', type: '2', linkname: 'harmless' })),
      symlink('workspace/a/b', 'x'),
    ],
    both,
  );
  refused(
    'where it is deep in a tree',
    () => [symlink('workspace/p/q/a', arena.outside), symlink('workspace/p/q/a/b', 'x')],
    { code: 'ARCHIVE_UNSAFE', says: 'p/q/a' },
  );
  refused(
    'where links lead through links',
    () => [symlink('workspace/a', 'b'), symlink('workspace/b', arena.outside), symlink('workspace/b/c', 'x')],
    { code: 'ARCHIVE_UNSAFE', says: /workspace\/b|"b"|"b\/c"/ },
  );
});

describe('a target that no system takes', () => {
  const long = 'x/'.repeat(2100);
  for (const type of ['1', '2']) {
    const says = 'the target of the link "workspace/a" is longer than any path can be';
    refused(
      `of type ${type}, in a PAX record`,
      () => [raw(pax({ linkpath: long }), records({ name: 'workspace/a', type, linkname: 'x' }))],
      { code: 'ARCHIVE_UNSAFE', says },
    );
    refused(
      `of type ${type}, in a record of GNU's`,
      () => [raw(gnuLong('K', long), records({ name: 'workspace/a', type, linkname: 'x' }))],
      { code: 'ARCHIVE_UNSAFE', says },
    );
  }
});

describe('a symlink and something else of one name', () => {
  const both = { code: 'ARCHIVE_UNSAFE', says: /"(workspace\/)?a\/?"/ } as const;
  refused('a directory', () => [symlink('workspace/a', arena.outside), directory('workspace/a/')], both);
  refused(
    'a directory with something in it',
    () => [symlink('workspace/a', arena.outside), directory('workspace/a/'), file('workspace/a/b', 'planted')],
    { code: 'ARCHIVE_UNSAFE', says: /"(workspace\/)?a/ },
  );
  refused('a file', () => [symlink('workspace/a', `${arena.outside}/canary`), file('workspace/a', 'planted')], both);
  refused('another symlink', () => [symlink('workspace/a', 'x'), symlink('workspace/a', 'y')], both);
  refused(
    'a hard link',
    () => [
      file('workspace/0'),
      symlink('workspace/a', `${arena.outside}/canary`),
      hardlink('workspace/a', 'workspace/0'),
    ],
    both,
  );
});

describe('the workspace as something that is no directory', () => {
  const says = 'the workspace itself is not a directory in it';
  refused('a symlink', () => [symlink('workspace', arena.outside), file('workspace/planted')], {
    code: 'ARCHIVE_UNSAFE',
    says,
  });
  refused('a symlink with nothing beneath', () => [symlink('workspace', arena.outside)], {
    code: 'ARCHIVE_UNSAFE',
    says,
  });
  refused('a hard link', () => [file('workspace/0'), hardlink('workspace', 'workspace/0')], {
    code: 'ARCHIVE_UNSAFE',
    says,
  });
  refused('a file', () => [raw(records({ name: './workspace' }, 'x'))], { code: 'ARCHIVE_UNSAFE', says });
});

describe('hard links', () => {
  const outside = {
    code: 'ARCHIVE_UNSAFE',
    says: /^the archive is refused: the hard link "workspace\/x" points to .*, outside of the workspace$/,
  } as const;
  for (const target of ['MANIFEST.json', 'config.yaml', 'workspace', 'unknown'])
    refused(`to ${target}`, () => [hardlink('workspace/x', target)], outside);
  refused('to an absolute path', () => [hardlink('workspace/x', `${arena.outside}/canary`)], {
    code: 'ARCHIVE_UNSAFE',
    says: 'is absolute',
  });
  for (const [form, entry] of Object.entries({
    ustar: hardlink('workspace/x', 'workspace/../../outside/canary'),
    GNU: raw(gnuLong('K', 'workspace/../../outside/canary'), records({ name: 'workspace/x', type: '1' })),
    PAX: raw(
      pax({ linkpath: '../outside/canary' }),
      records({ name: 'workspace/x', type: '1', linkname: 'workspace/y' }),
    ),
  }))
    refused(`that climb out, in ${form}`, () => [entry], { code: 'ARCHIVE_UNSAFE', says: 'climbs out with ".."' });
  const missing = { code: 'ARCHIVE_UNSAFE', says: 'does not point to a file of the archive' } as const;
  refused('to nothing', () => [hardlink('workspace/x', 'workspace/nowhere')], missing);
  refused('to themselves', () => [hardlink('workspace/x', 'workspace/x')], missing);
  refused('to a directory', () => [directory('workspace/d/'), hardlink('workspace/x', 'workspace/d')], missing);
  refused(
    'to a symlink',
    () => [symlink('workspace/l', `${arena.outside}/canary`), hardlink('workspace/x', 'workspace/l')],
    missing,
  );
  refused(
    'through a symlink',
    () => [symlink('workspace/l', arena.outside), hardlink('workspace/x', 'workspace/l/canary')],
    missing,
  );
});

describe('links that do no harm', () => {
  let arena: Arena;
  beforeEach(() => {
    arena = new Arena();
  });
  afterEach(() => arena.remove());
  const entries = [
    directory('workspace/d/'),
    file('workspace/d/file', 'one content', { mode: 0o640 }),
    hardlink('workspace/e', 'workspace/d/file'),
    hardlink('workspace/f', './workspace/d/file'),
    symlink('workspace/g', '/etc/hostname'),
    symlink('workspace/h', '../../outside/canary'),
    symlink('workspace/i', '..'),
    symlink('workspace/j', 'nowhere'),
  ];

  for (const [way, archive] of Object.entries(everyWay(entries))) {
    test(`are restored as they are, ${way}`, async () => {
      const { files: before } = arena.look();
      const { workspace } = await arena.restore(archive);
      expect(workspace).toMatchObject({ files: 1, links: 6 });
      const tree = arena.restored();
      const content = tree.get('d/file')?.content;
      for (const path of ['d/file', 'e', 'f'])
        expect(tree.get(path)).toEqual({ kind: 'file', mode: '640', mtime: MTIME, content });
      expect(tree.get('g')).toEqual({ kind: 'link', mtime: MTIME, content: '/etc/hostname' });
      expect(tree.get('h')).toEqual({ kind: 'link', mtime: MTIME, content: '../../outside/canary' });
      expect(tree.get('i')).toEqual({ kind: 'link', mtime: MTIME, content: '..' });
      expect(tree.get('j')).toEqual({ kind: 'link', mtime: MTIME, content: 'nowhere' });
      const { files: after } = arena.look();
      const outside = (files: Record<string, string>) =>
        Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('/outside')));
      expect(outside(after)).toEqual(outside(before));
    });
  }

  test('a link to a link of the same file, whichever comes first in a stream', async () => {
    const chain = [
      file('workspace/a', 'x'),
      hardlink('workspace/b', 'workspace/a'),
      hardlink('workspace/c', 'workspace/b'),
    ];
    for (const archive of [streamed(blocksOf({ workspace: [chain] })), indexed(blocksOf({ workspace: [chain] }))]) {
      await arena.restore(archive);
      expect([...arena.restored().keys()]).toEqual(['', 'a', 'b', 'c']);
    }
  });
});
