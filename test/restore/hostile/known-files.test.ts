/** The files that decide something, with anything in them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  blocksOf,
  CONFIG,
  checksumOf,
  DUMP,
  directory,
  type Forged,
  file,
  goodWorkspace,
  type Ingredients,
  indexed,
  largeFile,
  MANIFEST,
  manifest,
  SOURCE_HOME,
  streamed,
  symlink,
} from '../../support/forge/archive.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, failure, type Refusal } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const MIB = 1 << 20;
const NESTED = '['.repeat(100_000) + ']'.repeat(100_000);

/** The archive in both forms. */
const both = (ingredients: Ingredients) => [streamed(blocksOf(ingredients)), indexed(blocksOf(ingredients))];

function refused(name: string, ingredients: Ingredients, refusal: Refusal): void {
  test(name, async () => {
    for (const archive of both(ingredients)) await arena.refuses(archive, refusal);
  });
}

describe('MANIFEST.json', () => {
  const content = (text: string | Buffer): Ingredients => ({ manifest: [file('MANIFEST.json', text)] });
  const invalid = (says: string): Refusal => ({ code: 'MANIFEST_INVALID', kind: 'refused', says });
  const version = (says: string): Refusal => ({ code: 'MANIFEST_VERSION', kind: 'refused', says });
  const missing: Refusal = { code: 'MANIFEST_MISSING', kind: 'refused', says: 'the archive has no MANIFEST.json' };

  refused('is missing', { manifest: [] }, missing);
  refused('is a directory', { manifest: [directory('MANIFEST.json/')] }, missing);
  refused('is a link', { manifest: [symlink('MANIFEST.json', 'workspace/x')] }, missing);
  refused(
    'stands in another directory',
    { manifest: [file('backup/MANIFEST.json', JSON.stringify(MANIFEST))] },
    missing,
  );
  refused('is empty', content(''), invalid('is not JSON'));
  refused('is not JSON', content('manifest_version: 1\x1b[2J'), invalid('is not JSON'));
  refused('is cut off', content(JSON.stringify(MANIFEST).slice(0, -1)), invalid('is not JSON'));
  refused('is no text', content(Buffer.alloc(1000, 0xff)), invalid('is not JSON'));
  refused('is huge', content(JSON.stringify({ ...MANIFEST, more: 'x'.repeat(2 * MIB) })), invalid('has 2097'));
  for (const other of ['[]', 'null', '1', '"x"', `[${JSON.stringify(MANIFEST)}]`])
    refused(`is ${other.slice(0, 10)}`, content(other), invalid('is not an object'));
  for (const nested of [NESTED, `{"a":${NESTED}`])
    refused(`nests without end: ${nested.slice(0, 8)}`, content(nested), { ...invalid(''), says: /is not/ });

  for (const [value, shown] of [
    [undefined, 'has no manifest_version'],
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    ['1', '"1"'],
    [null, 'null'],
    [true, 'true'],
    [{}, '{…}'],
  ] as const)
    refused(
      `has the version ${JSON.stringify(value)}`,
      { manifest: [manifest({ ...MANIFEST, manifest_version: value })] },
      version(shown),
    );
  refused(
    'has a version that nests without end',
    content(JSON.stringify(MANIFEST).replace('"manifest_version":1', `"manifest_version":${NESTED}`)),
    version('[…]'),
  );
  refused(
    'has a version that is a very long text',
    { manifest: [manifest({ ...MANIFEST, manifest_version: '\x1b'.repeat(1e5) })] },
    version('…'),
  );
  refused(
    'has a version of the future',
    { manifest: [manifest({ ...MANIFEST, manifest_version: 2 })] },
    version('the archive has manifest_version 2; this program reads up to version 1'),
  );
  refused(
    'has its version in a prototype',
    content('{"__proto__":{"manifest_version":1,"schema_version":1}}'),
    version('has no manifest_version'),
  );
  for (const schema of [undefined, -1, 1.5, '15', null, [15]])
    refused(
      `has the schema ${JSON.stringify(schema)}`,
      { manifest: [manifest({ ...MANIFEST, schema_version: schema })] },
      invalid('has no usable schema_version'),
    );
  refused(
    'has a schema beyond all bounds',
    { manifest: [manifest({ ...MANIFEST, schema_version: 1e300 })] },
    { code: 'SCHEMA_TOO_NEW', kind: 'refused', says: '1e+300' },
  );
  for (const [field, value] of Object.entries({
    leoflow_version: 1,
    created_at: null,
    postgres_version: 16,
    writer: {},
    checksums: true,
    source: 'here',
    datastore: 1,
  }))
    refused(
      `has a ${field} of another kind`,
      { manifest: [manifest({ ...MANIFEST, [field]: value })] },
      invalid(`has no usable ${field}`),
    );
  for (const [field, more] of Object.entries({
    source: { source: [] },
    datastore: { datastore: [{ database: 'leoflow' }] },
    'source.home': { source: { ...MANIFEST.source, home: 7 } },
    'source.hostname': { source: { hostname: null } },
    'source.platform': { source: { platform: ['linux/amd64'] } },
    'datastore.database': { datastore: { database: { name: 'leoflow' } } },
    'datastore.pg_dump_version': { datastore: { pg_dump_version: 15.18 } },
  }))
    refused(
      `has a ${field} that is ${JSON.stringify(more)}`,
      { manifest: [manifest({ ...MANIFEST, ...more })] },
      invalid(`has no usable ${field}`),
    );
  refused(
    'has a release that clears the screen',
    { manifest: [manifest({ ...MANIFEST, leoflow_version: 'v1\x1b[2J' })] },
    invalid('has no usable leoflow_version'),
  );

  test('may stand anywhere, in members of its own, and hold what nobody knows', async () => {
    const text = JSON.stringify({ ...MANIFEST, future: 'x'.repeat(1000) });
    for (const late of [file('./MANIFEST.json', text), largeFile('./MANIFEST.json', Buffer.from(text), 512)]) {
      const workspace = [goodWorkspace(), [{ ...late, line: checksumOf('MANIFEST.json', text) }]];
      for (const archive of both({ manifest: [], workspace })) {
        const result = await arena.restore(archive, { dryRun: true });
        expect(result.manifest).toMatchObject({ future: 'x'.repeat(1000) });
      }
    }
  });
});

describe('config.yaml', () => {
  const content = (text: string | Buffer): Ingredients => ({ config: [file('config.yaml', text, { mode: 0o600 })] });
  const invalid = (says: string | RegExp = /^config.yaml of the archive/): Refusal => ({
    code: 'CONFIG_INVALID',
    kind: 'failed',
    says,
  });
  const unsafe = (says: string): Refusal => ({ code: 'WORKSPACE_UNSAFE', kind: 'refused', says });
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghij'.split('').map((key, at) => `${key}: &${key} [${`*${'abcdefghij'[at]},`.repeat(9)}]`),
  ].join('\n');

  refused('is empty', content(''), invalid());
  refused('is no mapping', content('- a\n- b\n'), invalid());
  refused('is cut off', content('workspace: "/home/alice/leoflow\njwt_secret: topsecret\n'), invalid());
  refused('is no text', content(Buffer.alloc(500, 0xff)), invalid());
  refused('is made of zeros', content(Buffer.alloc(500)), invalid());
  refused('has two documents', content('a: 1\n---\nb: 2\n'), invalid());
  refused('has a key twice', content('workspace: /a\nworkspace: /b\n'), invalid('"workspace" stands there twice'));
  refused('has a workspace that is a list', content('workspace: [a]\n'), invalid('`workspace` is not a string'));
  refused('has a workspace with a NUL', content('workspace: "/home/alice/a\\0b"\n'), invalid());
  refused('has a workspace that is an anchor of nothing', content('workspace: *nowhere\n'), invalid());
  refused('nests without end', content(`a: ${NESTED}`), invalid('nests too deep'));
  refused('nests mappings without end', content(`${'{a: '.repeat(50_000)}`), invalid('nests too deep'));
  refused('is of 300 KiB', content(`a: "${'x'.repeat(300 << 10)}"\n`), invalid('over 256 KiB'));
  refused(
    'is of 20 MiB',
    { config: [], workspace: [[largeFile('config.yaml', Buffer.alloc(20 * MIB, 'a: 1\n'))]] },
    invalid('over 256 KiB'),
  );

  test('that refers to itself a billion times is not unfolded', async () => {
    for (const archive of both(content(`${CONFIG}${bomb}\n`))) await arena.restore(archive, { dryRun: true });
  });
  test('says nothing of its secrets', async () => {
    const { message, hint } = await failure(
      arena.restore(streamed(blocksOf(content('jwt_secret: "topsecret\nworkspace: [')))),
    );
    expect(message + hint).not.toContain('topsecret');
  });

  test('with a command of its own is told of, from whatever home it says to come', async () => {
    const own = new Arena();
    try {
      for (const home of [own.home, SOURCE_HOME]) {
        const forged = manifest({ ...MANIFEST, source: { ...MANIFEST.source, home } });
        const config = file('config.yaml', 'workspace: "~/leoflow"\nparser_cmd: "sh -c evil"\n');
        const notes: string[] = [];
        await own.restore(streamed(blocksOf({ manifest: [forged], config: [config] })), {
          dryRun: true,
          onEvent: (event) => event.type === 'note' && notes.push(event.message),
        });
        expect(notes).toEqual([expect.stringContaining('Leoflow will run it: "sh -c evil"')]);
      }
    } finally {
      own.remove();
    }
  });

  for (const [workspace, says] of Object.entries({
    '/': 'the root directory',
    '/etc/cron.d': 'a directory of the system',
    '/home/alice/.ssh': 'a hidden directory that only the archive names',
    '/home/alice/.leoflow': 'the Leoflow home itself',
    '/home/alice': 'the home directory that the Leoflow home lies in',
    '/home/alice/.leoflow/pgdata': 'inside the Leoflow home',
    '/home/alice/a/../.ssh': 'a hidden directory that only the archive names',
    '/usr/local/bin': 'a directory of the system',
    '/home/bob': "somebody's home directory",
    '/home/alice/bin': 'a directory whose files the system acts upon',
    '/home/alice/Library/LaunchAgents': 'a directory whose files the system acts upon',
    '/home/bob/bin': 'a directory whose files the system acts upon',
    '/root/bin': 'a directory whose files the system acts upon',
    '/home/alice/.local/bin': 'a hidden directory that only the archive names',
    '/var/www': 'a directory of the system',
  }))
    refused(`leads to ${workspace}`, content(`workspace: ${JSON.stringify(workspace)}\n`), unsafe(says));

  test('leads to nothing of the user’s that nobody has named, whatever is allowed', async () => {
    const own = new Arena();
    try {
      const documents = join(own.user, 'Documents');
      mkdirSync(documents);
      writeFileSync(join(documents, 'thesis.txt'), 'years of work');
      const archives = both(content('workspace: "~/Documents"\n'));
      for (const archive of archives)
        await own.refuses(archive, unsafe('Documents holds thesis.txt'), { discardPrevious: true });
      const named = { workspace: documents, discardPrevious: true };
      const { previous, discarded } = await own.restore(archives[0] as Buffer, named);
      const files = ['config.yaml', 'setup.json'].map((name) => join(own.home, name));
      expect({ previous, discarded }).toEqual({ previous: [], discarded: [documents, ...files] });
      expect(readdirSync(documents)).not.toContain('thesis.txt');
    } finally {
      own.remove();
    }
  });

  test('leads to no other place than the one that was judged, wherever it stands', async () => {
    const config = file('config.yaml', 'workspace: /etc/cron.d\n');
    for (const archive of both({ config: [], workspace: [goodWorkspace(), [config]] }))
      await arena.refuses(archive, unsafe('/etc/cron.d, which is a directory of the system'));
  });
});

describe('setup.json', () => {
  let arena: Arena;
  beforeEach(() => {
    arena = new Arena();
  });
  afterEach(() => arena.remove());
  for (const [what, content] of Object.entries({
    'no JSON': 'not JSON\n',
    nothing: '',
    'a list': '[1]',
    'JSON that nests without end': `{"workspace": ${NESTED}}`,
    'no text': Buffer.alloc(100, 0xfe),
    'a megabyte': JSON.stringify({ workspace: '/home/alice/leoflow', more: 'x'.repeat(MIB) }),
    'keys of prototypes': '{"__proto__": {"workspace": "/etc"}, "constructor": "x"}',
  })) {
    test(`is restored as it is where it is ${what}`, async () => {
      for (const archive of both({ setup: [file('setup.json', content)] })) {
        await arena.restore(archive);
        expect(readFileSync(join(arena.home, 'setup.json')).equals(Buffer.from(content as string))).toBe(true);
      }
    });
  }
  test('is refused where it has more bytes than a memory should hold', async () => {
    const refusal: Refusal = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: 'its setup.json has 17825792 bytes' };
    for (const archive of both({ setup: [], workspace: [[largeFile('setup.json', Buffer.alloc(17 * MIB))]] }))
      await arena.refuses(archive, refusal);
  });
});

describe('datastore.sql', () => {
  const invalid = (says: string): Refusal => ({ code: 'DUMP_INVALID', kind: 'failed', says });
  const dump = (...entries: Forged[]): Ingredients => ({ dump: entries });
  refused('is empty', dump(file('datastore.sql', '')), invalid('the dump in the archive is empty'));
  refused('is empty, in a member of its own', dump(largeFile('datastore.sql', Buffer.alloc(0))), invalid('is empty'));
  refused(
    'is no dump',
    dump(file('datastore.sql', 'DROP DATABASE leoflow_dev;\n')),
    invalid('does not begin as a plain dump of pg_dump does'),
  );
  refused(
    'is a dump of another form',
    dump(largeFile('datastore.sql', Buffer.from(`PGDMP${'\0'.repeat(5000)}`))),
    invalid('does not begin'),
  );

  test('is missing, and is to be restored', async () => {
    const refusal: Refusal = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: 'there is no datastore.sql in it' };
    for (const archive of both(dump())) await arena.refuses(archive, refusal, { only: ['datastore'] });
  });
  test('is missing, and nobody asks for it', async () => {
    for (const archive of both(dump())) await arena.restore(archive, { dryRun: true });
  });
  test('is found in small pieces, and in a block with others', async () => {
    for (const one of [largeFile('datastore.sql', Buffer.from(DUMP), 512), file('datastore.sql', DUMP)])
      for (const archive of both(dump(one))) await arena.restore(archive, { dryRun: true });
  });
});
