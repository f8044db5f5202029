/** Finding the other `leoflow`, asking its version, and reading the newest schema it knows. */
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leoflowBinary, leoflowVersion, nextLeoflow, supportedSchema } from '../../src/engine/install/index.js';
import { highestMigration } from '../../src/engine/install/schema.js';
import { failure, scratch, tree } from './homes.js';

let root: string;

beforeEach(() => {
  root = scratch();
});

/** An environment whose PATH is these directories, below the scratch directory where they are relative. */
function env(...directories: string[]): NodeJS.ProcessEnv {
  return { PATH: directories.map((directory) => join(root, directory)).join(delimiter) };
}

function script(directory: string, text = '#!/bin/sh\necho "$@"\n'): string {
  const path = join(root, directory, 'leoflow');
  tree(root, { [`${directory}/leoflow`]: text });
  chmodSync(path, 0o755);
  return path;
}

/** A native program called leoflow; this one answers `--version` with Node's. */
function native(directory: string): string {
  const path = join(root, directory, 'leoflow');
  mkdirSync(join(root, directory), { recursive: true });
  symlinkSync(process.execPath, path);
  return path;
}

/** The first bytes of a native program, and what else it holds. */
function binary(directory: string, content: string | Buffer): string {
  const path = script(directory, '');
  writeFileSync(path, Buffer.concat([Buffer.from('7f454c46', 'hex'), Buffer.from(content)]));
  return path;
}

describe('the next leoflow on PATH', () => {
  test('is the first executable file of that name', async () => {
    tree(root, { 'a/leoflow': null, 'b/leoflow': 'not executable' });
    const other = script('c');
    script('d');
    expect(await nextLeoflow({ env: env('a', 'b', 'missing', 'c', 'd') })).toBe(other);
  });

  test('is not looked for in relative entries of PATH', async () => {
    script('.');
    expect(await nextLeoflow({ env: { PATH: `${delimiter}.${delimiter}` } })).toBeNull();
    expect(await nextLeoflow({ env: {} })).toBeNull();
  });

  describe('is never ourselves', () => {
    const argv = process.argv[1];
    afterEach(() => {
      if (argv !== undefined) process.argv[1] = argv;
    });

    test('by real path, under two names, through symlinks', async () => {
      const own = script('own');
      process.argv[1] = own;
      mkdirSync(join(root, 'links'));
      symlinkSync(own, join(root, 'links/leoflow'));
      expect(await nextLeoflow({ env: env('own', 'links') })).toBeNull();
      const other = script('other');
      expect(await nextLeoflow({ env: env('links', 'own', 'other') })).toBe(other);
      expect(await nextLeoflow({ env: env('other', 'links', 'own') })).toBe(other);
    });

    test('as another installed copy of this package', async () => {
      tree(root, {
        'lib/node_modules/leoflow-snapshot/package.json': '{"name": "leoflow-snapshot"}',
        'lib/node_modules/leoflow-snapshot/dist/package.json': '{"type": "module"}',
        'lib/node_modules/leoflow-snapshot/dist/cli/main.js': '#!/usr/bin/env node\n',
      });
      chmodSync(join(root, 'lib/node_modules/leoflow-snapshot/dist/cli/main.js'), 0o755);
      mkdirSync(join(root, 'bin'));
      symlinkSync('../lib/node_modules/leoflow-snapshot/dist/cli/main.js', join(root, 'bin/leoflow'));
      expect(await nextLeoflow({ env: env('bin') })).toBeNull();
    });

    test('behind the shell shim of a package manager', async () => {
      script('bin', '#!/bin/sh\nexec node "$basedir/global/5/node_modules/leoflow-snapshot/dist/cli/main.js" "$@"\n');
      expect(await nextLeoflow({ env: env('bin') })).toBeNull();
    });
  });
});

describe('the Leoflow binary', () => {
  test('is a native program, not a script', async () => {
    script('a');
    const other = native('b');
    expect(await nextLeoflow({ env: env('a', 'b') })).toBe(join(root, 'a/leoflow'));
    expect(await leoflowBinary({ env: env('a', 'b') })).toBe(other);
    expect(await leoflowBinary({ env: env('a') })).toBeNull();
  });

  test('says its version', async () => {
    native('a');
    expect(await leoflowVersion({ env: env('a') })).toBe(process.version);
  });

  test('is unknown where there is none, where it is a script, and where it does not start', async () => {
    script('script', '#!/bin/sh\necho v1.2.3\n');
    binary('broken', 'no program');
    expect(await leoflowVersion({ env: env() })).toBe('unknown');
    expect(await leoflowVersion({ env: env('script') })).toBe('unknown');
    expect(await leoflowVersion({ env: env('broken') })).toBe('unknown');
  });
});

describe('the newest schema that may be restored', () => {
  test('is LEOFLOW_SUPPORTED_SCHEMA where that is set', async () => {
    expect(await supportedSchema({ env: { LEOFLOW_SUPPORTED_SCHEMA: '31' } })).toEqual({
      version: 31,
      source: 'LEOFLOW_SUPPORTED_SCHEMA',
    });
  });

  test.each(['0', '-1', '2.5', 'x', '026', '1e3', ' 3', '9'.repeat(20)])(
    'refuses LEOFLOW_SUPPORTED_SCHEMA=%s',
    async (value) => {
      const error = await failure('USAGE', () => supportedSchema({ env: { LEOFLOW_SUPPORTED_SCHEMA: value } }));
      expect(error.message).toBe(`LEOFLOW_SUPPORTED_SCHEMA is not a positive integer: "${value}"`);
      expect(error.kind).toBe('usage');
      expect(error.hint).toContain('unset it');
    },
  );

  test('is the highest migration in the installed binary, whichever side of 26 it is', async () => {
    const path = binary('a', 'xx\0migrations/002_runs.up.sqlmigrations/019_x.down.sql\0migrations/015_xcom.up.sql');
    expect(await supportedSchema({ env: { ...env('a'), LEOFLOW_SUPPORTED_SCHEMA: '' } })).toEqual({
      version: 15,
      source: `the migrations in ${path}`,
    });
    appendFileSync(path, 'migrations/031_more.up.sql');
    expect((await supportedSchema({ env: env('a') })).version).toBe(31);
  });

  test('is found in a real program with names appended', async () => {
    const path = script('a', '');
    copyFileSync(process.execPath, path);
    expect(await highestMigration(path)).toBeNull();
    appendFileSync(path, '\0migrations/027_next.up.sql\0');
    expect((await supportedSchema({ env: env('a') })).version).toBe(27);
  });

  test("is this program's own where no binary says it, and the source says why", async () => {
    script('script', '#!/bin/sh\n# migrations/099_x.up.sql\n');
    expect(await supportedSchema({ env: env('script') })).toEqual({
      version: 26,
      source: 'leoflow-snapshot itself, as no Leoflow binary is on PATH',
    });
    const path = binary('a', 'nothing here');
    expect(await supportedSchema({ env: env('a') })).toEqual({
      version: 26,
      source: `leoflow-snapshot itself, as ${path} names no migrations`,
    });
  });

  test('is found wherever a name lies across the pieces that are read', async () => {
    const name = 'migrations/028_a_rather_long_name_for_a_migration.up.sql';
    for (let cut = 0; cut <= name.length; cut++) {
      const path = binary('a', Buffer.concat([Buffer.alloc(1024 * 1024 - 4 - cut, '.'), Buffer.from(name)]));
      expect(await highestMigration(path)).toBe(28);
    }
  });

  test.each([
    ['a name whose neighbour ends in digits', 'migrations/026_a.up.sql\0go1.22027_b.up.sql', 26],
    ['bare names, where there are no others', 'x\x00025_a.up.sql\x00026_b.up.sql\x00', 26],
    ['a bare name with a digit before it', '9026_a.up.sql', null],
    ['a time stamp of another library', 'migrations/20240101120000_init.up.sql', null],
    ['two digits', 'migrations/26_a.up.sql', null],
    ['six digits', 'migrations/000027_a.up.sql', 27],
    ['another extension', 'migrations/027_a.up.sq', null],
    ['capitals', 'migrations/027_A.up.sql', null],
  ])('%s', async (_, content, expected) => {
    expect(await highestMigration(binary('a', content))).toBe(expected);
  });
});
