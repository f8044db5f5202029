/** What `inspect()` finds in archives, and what it makes of the place. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult, InspectResult } from '../../src/index.js';
import { Shelf, withIndex } from '../index/support.js';
import { membersOf, readArchive, type TarEntry, untar } from '../support/archive.js';
import { blocksOf, directory, file, indexed, largeFile, MANIFEST, manifest } from '../support/forge/archive.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, inspect } from '../support/library.js';
import { growExcluded, isRoot, MIB, put } from '../support/tree.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const shelf = new Shelf();
let install: TestInstall;
let made: BackupResult;
let entries: TarEntry[];
let found: InspectResult;
/** Where there is no install. */
let place: string;

beforeAll(async () => {
  install = await createInstall();
  const { workspace, home, archive } = install;
  growExcluded(workspace);
  for (const [index, name] of ['a', 'a/b', 'a/b/c', 'a-b', 'z', 'z/日本', 'z/x\ny'].entries()) {
    put(join(workspace, name, 'one'), Buffer.alloc(1000 * (index + 1)));
    put(join(workspace, name, 'two'), Buffer.alloc(10 * (index + 1)));
  }
  put(join(workspace, 'z/large.bin'), Buffer.alloc(3 * MIB, 'x'));
  mkdirSync(join(workspace, 'hollow'));
  symlinkSync('a', join(workspace, 'link'));
  made = await backup({ home, output: archive, workers: 2 });
  entries = readArchive(archive);
  place = mkdtempSync(join(tmpdir(), 'lfinspect-'));
  // PostgreSQL refuses root: what root looks into here is somebody's.
  if (isRoot) chownSync(place, 65534, 65534);
  found = await inspect({ archive, home: join(place, 'home') });
});
afterAll(async () => {
  shelf.remove();
  if (place !== undefined) rmSync(place, { recursive: true });
  await install?.remove();
});

/** What `du` would find, from the entries themselves. */
function usage(all: TarEntry[]) {
  const directories = new Map<string, { bytes: number; files: number }>();
  const files = all.filter(({ type, name }) => type === '0' && name.startsWith('workspace/'));
  for (const { name, size } of files) {
    const parts = name.replace(/^workspace\//, '').split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const directory = `workspace/${parts.slice(0, depth).join('/')}/`;
      const { bytes, files } = directories.get(directory) ?? { bytes: 0, files: 0 };
      directories.set(directory, { bytes: bytes + size, files: files + 1 });
    }
  }
  return {
    directories: [...directories]
      .map(([name, { bytes, files }]) => ({ name, bytes, files }))
      .filter(({ bytes }) => bytes > 0),
    files: files.filter(({ size }) => size > 0).map(({ name, size }) => ({ name, bytes: size, files: 1 })),
  };
}
const bySize = <T extends { bytes: number; name: string }>(list: readonly T[]) =>
  [...list].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));

describe('what is in an archive', () => {
  test('is found without reading it', () => {
    expect(found).toMatchObject({
      archive: install.archive,
      source: 'index',
      size: made.size,
      manifest: made.manifest,
    });
    expect(found.members).toBe(membersOf(readFileSync(install.archive)).length);
    expect(found.bytesRead).toBeLessThan(made.size);
  });

  test('its parts, with what they take in it', () => {
    const compressed = (part: string) => found.parts.find(({ name }) => name === part)?.compressed ?? 0;
    const sizeOf = (...names: string[]) =>
      entries.filter(({ name }) => names.includes(name)).reduce((sum, { size }) => sum + size, 0);
    expect(found.parts.map(({ name, entries: count, bytes }) => ({ name, count, bytes }))).toEqual([
      { name: 'config', count: 3, bytes: sizeOf('MANIFEST.json', 'config.yaml', 'setup.json') },
      { name: 'workspace', count: entries.length - 6, bytes: made.workspace.bytes },
      { name: 'datastore', count: 1, bytes: made.datastore.bytes },
      { name: 'index', count: 2, bytes: sizeOf('INDEX.jsonl', 'SHA256SUMS') },
    ]);
    // All but the end of the archive, which is 52 bytes.
    const sum = found.parts.reduce((total, part) => total + (part.compressed ?? 0), 0);
    expect(sum).toBe(made.size - (membersOf(readFileSync(install.archive)).at(-1)?.raw.length ?? 0));
    expect(compressed('datastore')).toBeGreaterThan(1000);
    expect(compressed('config')).toBe(membersOf(readFileSync(install.archive))[0]?.raw.length);
  });

  test('how much is in the workspace', () => {
    const { files, directories, symlinks, bytes } = made.workspace;
    expect(found.workspace).toEqual({ files, directories, links: symlinks, bytes });
  });

  test('the largest, as du finds them', async () => {
    const { directories, files } = usage(entries);
    const all = await inspect({ archive: install.archive, home: '/nonexistent', top: 1000 });
    expect(bySize(all.largest.directories)).toEqual(bySize(directories));
    expect(bySize(all.largest.files)).toEqual(bySize(files));
    expect(all.largest.files.map(({ bytes }) => bytes)).toEqual(bySize(files).map(({ bytes }) => bytes));
    expect(found.largest.directories.map(({ bytes }) => bytes)).toEqual(
      bySize(directories)
        .slice(0, 10)
        .map(({ bytes }) => bytes),
    );
    expect(found.largest.files).toHaveLength(10);
    expect(found.largest.files[0]).toEqual({ name: 'workspace/z/large.bin', bytes: 3 * MIB, files: 1 });
    const none = await inspect({ archive: install.archive, home: '/nonexistent', top: 0 });
    expect(none.largest).toEqual({ directories: [], files: [] });
  });

  test('what was left out', () => {
    expect(made.leftOut.length).toBeGreaterThan(3);
    expect(found.leftOut).toEqual(made.leftOut);
  });

  test('nothing of the config, which has secrets in it', () => {
    expect(readFileSync(join(install.home, 'config.yaml'), 'utf8')).toContain('0f0f0f');
    expect(JSON.stringify(found)).not.toContain('0f0f0f');
  });
});

describe('an archive without an index', () => {
  const events: string[] = [];
  const onEvent = (event: { type: string; message?: string }) => void events.push(event.message ?? event.type);

  test('repacked, in any order: the same, but for what only an index tells', async () => {
    const tree = join(install.base, 'unpacked');
    untar(install.archive, tree);
    const repacked = join(install.out, 'repacked.tar.gz');
    const script = 'cd "$1" && find . -mindepth 1 -print0 | sort -rz | tar czf "$2" --null --no-recursion -T -';
    execFileSync('bash', ['-c', script, 'bash', tree, repacked]);
    const other = await inspect({ archive: repacked, home: '/nonexistent', onEvent, top: 1000 });
    const same = await inspect({ archive: install.archive, home: '/nonexistent', top: 1000 });
    expect(other).toMatchObject({ source: 'archive', members: null, leftOut: null, workspace: same.workspace });
    expect(other.bytesRead).toBeGreaterThanOrEqual(other.size);
    expect(bySize(other.largest.directories)).toEqual(bySize(same.largest.directories));
    expect(bySize(other.largest.files)).toEqual(bySize(same.largest.files));
    expect(other.parts).toEqual(same.parts.map((part) => ({ ...part, compressed: null })));
    expect(events).toContain('the archive has no index: all of it has to be read');
  });

  test('of the Leoflow binary: directories are known by what lies in them', async () => {
    const reference = await inspect({ archive: REFERENCE, home: '/nonexistent' });
    const { directories, files } = usage(readArchive(REFERENCE));
    expect(reference.workspace).toMatchObject({ files: 7, directories: 0, links: 0 });
    expect(bySize(reference.largest.directories)).toEqual(bySize(directories));
    expect(bySize(reference.largest.files)).toEqual(bySize(files));
    expect(reference.manifest.schema_version).toBe(15);
  });
});

describe('whether it could be restored', () => {
  const codes = ({ outlook }: InspectResult) => outlook.obstacles.map(({ code }) => code);

  test('to a new home: yes', () => {
    const { outlook } = found;
    expect(outlook).toMatchObject({ restorable: 'yes', obstacles: [], home: join(place, 'home') });
    expect(outlook.schema).toEqual({ archive: 15, supported: { version: 26, source: expect.any(String) } });
    expect(outlook.postgres).toMatchObject({ state: 'absent', dump: made.manifest.datastore?.server_version });
    expect(outlook.postgres.server).toMatch(/^\d+/);
    expect(readdirSync(place)).toEqual([]);
  });

  test('in place of an install: with --force', async () => {
    const result = await inspect({ archive: install.archive, home: install.home });
    expect(codes(result)).toEqual(['INSTALL_EXISTS']);
    expect(result.outlook).toMatchObject({ restorable: 'with-force', workspace: install.workspace });
    expect(result.outlook.postgres.state).toBe('running');
    expect(result.outlook.obstacles[0]?.message).toContain('its datastore holds tables');
    expect(result.outlook.obstacles[0]?.hint).toContain('--force');
  });

  test('where PostgreSQL is missing: no, and why', async () => {
    const result = await inspect({ archive: install.archive, home: '/nonexistent/home', pgBin: '/nonexistent' });
    expect(result.outlook.restorable).toBe('no');
    expect(codes(result)).toContain('TOOL_NOT_FOUND');
    expect(result.outlook.postgres).toMatchObject({ server: null, state: null });
  });

  test('to a home of our own: not where we are root, as PostgreSQL refuses root', async () => {
    const result = await inspect({ archive: install.archive, home: join(install.base, 'deep', 'nowhere') });
    expect(codes(result)).toEqual(isRoot ? ['CLUSTER_ROOT'] : []);
    expect(result.outlook.restorable).toBe(isRoot ? 'no' : 'yes');
  });

  test('all that is in the way is told, not only the first', async () => {
    process.env.LEOFLOW_SUPPORTED_SCHEMA = '14';
    try {
      const dump =
        '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 99.1\n-- Dumped by pg_dump version 99.1\n';
      const wrong = blocksOf({ dump: [largeFile('datastore.sql', Buffer.from(dump))] });
      const result = await inspect({ archive: shelf.put(indexed(wrong)), home: install.home });
      expect(codes(result).sort()).toEqual(['INSTALL_EXISTS', 'SCHEMA_TOO_NEW', 'SERVER_TOO_OLD']);
      expect(result.outlook).toMatchObject({ restorable: 'no', schema: { archive: 15, supported: { version: 14 } } });
      expect(result.outlook.schema.supported?.source).toBe('LEOFLOW_SUPPORTED_SCHEMA');
      expect(result.outlook.postgres.dump).toBe('99.1');
    } finally {
      delete process.env.LEOFLOW_SUPPORTED_SCHEMA;
    }
  });

  test('where the datastore is not running: it is not started', async () => {
    const other = await createInstall();
    try {
      await other.cluster.stop();
      const before = readdirSync(join(other.home, 'pgdata')).sort();
      const result = await inspect({ archive: install.archive, home: other.home });
      expect(result.outlook.postgres.state).toBe('stopped');
      expect(codes(result)).toEqual(['INSTALL_EXISTS']);
      expect(readdirSync(join(other.home, 'pgdata')).sort()).toEqual(before);
    } finally {
      await other.remove();
    }
  });
});

describe('an archive that is none', () => {
  test('a lying index', async () => {
    const lie = (right: string) => right.replace('"s":15', '"s":150000');
    const workspace = [[directory('workspace/'), file('workspace/a', 'x'.repeat(15))]];
    const archive = shelf.put(Buffer.concat(withIndex({ workspace, index: lie })));
    await expect(inspect({ archive, home: '/nonexistent' })).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  test('of a newer format', async () => {
    const newer = blocksOf({ manifest: [manifest({ ...MANIFEST, manifest_version: 2 })] });
    await expect(inspect({ archive: shelf.put(indexed(newer)) })).rejects.toMatchObject({ code: 'MANIFEST_VERSION' });
  });

  test('that is cut off', async () => {
    const whole = readFileSync(install.archive);
    for (const length of [100, whole.length >> 1, whole.length - 60, whole.length - 1]) {
      const archive = shelf.put(whole.subarray(0, length));
      await expect(inspect({ archive, home: '/nonexistent' })).rejects.toMatchObject({ code: 'ARCHIVE_TRUNCATED' });
    }
  });

  test('wrong options', async () => {
    for (const top of [-1, 1.5, 1001, Number.NaN])
      await expect(inspect({ archive: install.archive, top })).rejects.toMatchObject({ code: 'USAGE' });
    const signal = AbortSignal.abort();
    await expect(inspect({ archive: install.archive, signal })).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});
