/** Names that lead out of the place they are put in, and names that no file can have. docs/format.md, "Safety of readers". */
import { afterAll, beforeAll, describe } from 'vitest';
import { directory, type Forged, file, hardlink, raw, symlink } from '../../support/forge/archive.js';
import { gnuLong, type HeaderFields, pax, records } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, refusesEveryWay } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const refused = refusesEveryWay(() => arena);

/** A name in every form that a header can have. */
const FORMS: Record<string, (name: string, fields?: Partial<HeaderFields>) => Forged> = {
  'a ustar name': (name, fields) => raw(records({ name, ...fields }, 'x')),
  'a ustar prefix': (name, fields) => {
    const cut = name.lastIndexOf('/', name.length - 2);
    return raw(records({ prefix: name.slice(0, cut), name: name.slice(cut + 1), ...fields }, 'x'));
  },
  'a GNU long name': (name, fields) => raw(gnuLong('L', name), records({ name: 'workspace/x', ...fields }, 'x')),
  'a PAX record': (name, fields) => raw(pax({ path: name }), records({ name: 'workspace/x', ...fields }, 'x')),
};

describe('names that climb out', () => {
  const climbing = { code: 'ARCHIVE_UNSAFE', says: 'climbs out with ".."' } as const;
  for (const name of ['workspace/dags/../../../outside/canary', '../planted', './../planted', 'unknown/../../planted'])
    refused(name, () => [raw(records({ name }, 'x'))], climbing);
  for (const [form, named] of Object.entries(FORMS))
    refused(`as ${form}`, () => [named('workspace/../../outside/planted')], climbing);
  for (const [kind, entry] of Object.entries({
    'a directory': directory('workspace/../../outside/planted/'),
    'the parent itself': directory('workspace/../'),
    'a symlink': symlink('workspace/../../outside/planted', '/etc'),
    'a hard link': hardlink('workspace/../../outside/planted', 'workspace/x'),
    'a known file': file('../MANIFEST.json', '{}'),
  }))
    refused(kind, () => [entry], climbing);
});

describe('absolute names', () => {
  for (const [form, named] of Object.entries(FORMS)) {
    refused(`as ${form}`, () => [named(`${arena.outside}/planted`)], {
      code: 'ARCHIVE_UNSAFE',
      says: /the name "\/.*\/outside\/planted" is absolute/,
    });
  }
  refused('behind a ./', () => [raw(records({ name: './/etc/cron.d/planted' }, 'x'))], {
    code: 'ARCHIVE_UNSAFE',
    says: 'is absolute',
  });
  refused('of a directory', () => [directory('/')], {
    code: 'ARCHIVE_UNSAFE',
    says: 'the name',
  });
  refused('outside of the workspace', () => [raw(records({ name: '/MANIFEST.json' }, '{}'))], {
    code: 'ARCHIVE_UNSAFE',
    says: 'the name "/MANIFEST.json" is absolute',
  });
});

describe('names with empty parts', () => {
  for (const name of ['workspace//x', 'workspace/./x', 'workspace/.', 'workspace/x/', 'unknown//x', 'workspace/a/b//'])
    refused(name, () => [raw(records({ name }, 'x'))], { code: 'ARCHIVE_UNSAFE', says: 'has an empty part' });
});

describe('names that no file can have', () => {
  const long = `workspace/${'n'.repeat(99)}/`.repeat(50).slice(0, 5000).replace(/\/$/, 'x');
  for (const form of ['a GNU long name', 'a PAX record'] as const) {
    const named = FORMS[form] as (name: string) => Forged;
    refused(`5,000 bytes, as ${form}`, () => [named(long)], {
      code: 'ARCHIVE_UNSAFE',
      says: /^the archive is refused: the name "workspace\/n{99}.*…" is longer than any path can be$/,
    });
    refused(`a part of 256 bytes, as ${form}`, () => [named(`workspace/${'p'.repeat(256)}`)], {
      code: 'ARCHIVE_UNSAFE',
      says: /a part of the name "workspace\/p{100,}…" is longer than a file name can be/,
    });
    refused(`a part of 256 bytes beyond ASCII, as ${form}`, () => [named(`workspace/${'é'.repeat(128)}/x`)], {
      code: 'ARCHIVE_UNSAFE',
      says: 'is longer than a file name can be',
    });
    refused(`a megabyte, as ${form}`, () => [named(`workspace/${'m'.repeat(1_000_000)}`)], {
      code: 'ARCHIVE_UNSAFE',
      says: 'is longer than any path can be',
    });
  }
  const nul: Record<string, Forged> = {
    'a ustar name': raw(records({ name: 'workspace/good\0/../../planted' }, 'x')),
    'a ustar prefix': raw(records({ prefix: 'workspace\0/..', name: 'x' }, 'x')),
    'a GNU long name': raw(gnuLong('L', 'workspace/good\0/../planted'), records({ name: 'workspace/x' }, 'x')),
    'a PAX record': raw(pax({ path: 'workspace/good\0bad' }), records({ name: 'workspace/x' }, 'x')),
    'a PAX record of a link': raw(
      pax({ linkpath: 'a\0b' }),
      records({ name: 'workspace/x', type: '2', linkname: 'a' }),
    ),
    'a link target': raw(records({ name: 'workspace/x', type: '2', linkname: 'a\0b' })),
    'a GNU long link target': raw(gnuLong('K', 'a\0b'), records({ name: 'workspace/x', type: '2', linkname: 'a' })),
  };
  for (const [form, entry] of Object.entries(nul))
    refused(`a NUL, as ${form}`, () => [entry], { code: 'ARCHIVE_DAMAGED', says: 'has a NUL in it' });

  const latin1 = Buffer.from('workspace/caf\xe9', 'latin1');
  const notUtf8: Record<string, Forged> = {
    'a ustar name': raw(records({ name: latin1 }, 'x')),
    'a GNU long name': raw(gnuLong('L', latin1), records({ name: 'workspace/x' }, 'x')),
    'a PAX record': raw(pax({ path: latin1 }), records({ name: 'workspace/x' }, 'x')),
    'a link target': raw(records({ name: 'workspace/x', type: '2', linkname: Buffer.from([0xff]) })),
    'a PAX link target': raw(pax({ linkpath: Buffer.from([0xff]) }), records({ name: 'workspace/x', type: '2' })),
    'a very long PAX record': raw(pax({ path: Buffer.alloc(900_000, 0xff) }), records({ name: 'workspace/x' }, 'x')),
  };
  for (const [form, entry] of Object.entries(notUtf8))
    refused(`bytes that are no UTF-8, as ${form}`, () => [entry], {
      code: 'ARCHIVE_DAMAGED',
      says: 'is not UTF-8: "',
    });
  refused('an empty one', () => [raw(records({ name: '', prefix: 'workspace' }, 'x'))], {
    code: 'ARCHIVE_UNSAFE',
    says: 'has an empty part',
  });
});

describe('no name at all', () => {
  for (const [how, name] of Object.entries({ './': './', '.': '.', nothing: '' })) {
    refused(`${how}, of a file`, () => [raw(records({ name }, 'x'))], {
      code: 'ARCHIVE_UNSAFE',
      says: 'a file in it has no name',
    });
    refused(`${how}, of a link`, () => [symlink(name, 'workspace/x')], {
      code: 'ARCHIVE_UNSAFE',
      says: 'a symbolic link in it has no name',
    });
  }
});

describe('names for messages', () => {
  // A terminal takes U+009B for the beginning of a command, and U+202E turns the rest of the line around.
  const name = `workspace/\x1b[31m\u009b2J\u202egpj.exe\u2028\x7f/../x`;
  refused(
    'are shown without anything that a terminal acts upon',
    () => [raw(pax({ path: name }), records({ name: 'workspace/x' }, 'x'))],
    {
      code: 'ARCHIVE_UNSAFE',
      says: '"workspace/\\u001b[31m\\u009b2J\\u202egpj.exe\\u2028\\u007f/../x"',
    },
  );
});
