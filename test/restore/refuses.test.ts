/** The refusals of docs/restore.md: each says what was found, what is supported and what to do, and changes nothing. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RestoreOptions, SnapshotError } from '../../src/index.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, restore } from '../support/library.js';
import { look } from '../support/tree.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));

let install: TestInstall;
let unpacked: string;

beforeAll(async () => {
  install = await createInstall();
  writeFileSync(join(install.workspace, 'dag.py'), 'the only copy');
  await backup({ home: install.home, output: install.archive });
  unpacked = mkdtempSync(join(install.base, 'v1-'));
  execFileSync('tar', ['xzf', FIXTURE, '-C', unpacked]);
});

afterAll(() => install.remove());
afterEach(() => vi.unstubAllEnvs());

/** The fixture with another manifest, or none. */
function archiveWith(change: (manifest: Record<string, unknown>) => Record<string, unknown> | string | null): string {
  const root = mkdtempSync(join(install.base, 'changed-'));
  execFileSync('cp', ['-a', `${unpacked}/.`, root]);
  const path = join(root, 'MANIFEST.json');
  const manifest = change(JSON.parse(readFileSync(path, 'utf8')));
  if (manifest === null) rmSync(path);
  else writeFileSync(path, typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  const archive = `${root}.tar.gz`;
  execFileSync('sh', ['-c', 'cd "$1" && tar czf "$2" *', 'sh', root, archive]);
  return archive;
}

/** What the restore says; the install is as it was. */
async function refusal(options: RestoreOptions): Promise<SnapshotError> {
  const state = async () => ({
    tree: look(install.base, (path) => /^home\/pgdata|^changed-|\.tar\.gz$/.test(path)),
    databases: await install.cluster.psql('SELECT datname FROM pg_database ORDER BY 1'),
    rows: await install.cluster.psql('SELECT count(*) FROM run'),
  });
  const before = await state();
  const error = await restore({ home: install.home, ...options }).then(
    () => {
      throw new Error('it was not refused');
    },
    (error: SnapshotError) => error,
  );
  const after = await state();
  // Temporary files come and go beside the home; only the time of that directory tells.
  before.tree.delete('');
  after.tree.delete('');
  before.tree.delete('home');
  after.tree.delete('home');
  expect(after).toEqual(before);
  return error;
}

describe('an archive with a newer schema', () => {
  it.each([false, true])('is refused, and --force (%s) does not help', async (force) => {
    const input = archiveWith((manifest) => ({ ...manifest, schema_version: 27 }));
    const error = await refusal({ input, force });
    expect(error).toMatchObject({ code: 'SCHEMA_TOO_NEW', kind: 'refused' });
    expect(error.message).toMatch(/schema version 27.* up to version 26/);
    expect(error.hint).toMatch(/upgrade Leoflow.*--force does not help/);
  });

  it('is judged by LEOFLOW_SUPPORTED_SCHEMA where it is set, and the message says so', async () => {
    vi.stubEnv('LEOFLOW_SUPPORTED_SCHEMA', '14');
    const error = await refusal({ input: FIXTURE, force: true });
    expect(error.message).toMatch(/schema version 15.* up to version 14 \(.*LEOFLOW_SUPPORTED_SCHEMA/);
  });
});

describe('an install that is in the way', () => {
  it('is not overwritten without --force, and the message says what was found', async () => {
    const error = await refusal({ input: install.archive });
    expect(error).toMatchObject({ code: 'INSTALL_EXISTS', kind: 'refused' });
    expect(error.message).toContain(install.home);
    expect(error.message).toMatch(/dag\.py.*datastore holds tables/);
    expect(error.hint).toMatch(/--force/);
  });

  it('may be a single file that nobody can explain', async () => {
    const home = mkdtempSync(join(install.base, 'other-'));
    writeFileSync(join(home, 'notes.txt'), 'mine');
    const error = await refusal({ input: FIXTURE, home, workspace: join(install.base, 'elsewhere') });
    expect(error.code).toBe('INSTALL_EXISTS');
    expect(error.message).toContain('notes.txt');
    rmSync(home, { recursive: true });
  });

  it('may be a workspace alone', async () => {
    const home = join(install.base, 'missing');
    const workspace = join(install.base, 'projects');
    mkdirSync(workspace);
    writeFileSync(join(workspace, 'mine.py'), 'mine');
    const error = await refusal({ input: FIXTURE, home, workspace });
    expect(error.code).toBe('INSTALL_EXISTS');
    expect(error.message).toContain('mine.py');
    rmSync(workspace, { recursive: true });
  });
});

describe('a manifest', () => {
  it('that is missing is refused', async () => {
    const error = await refusal({ input: archiveWith(() => null), force: true });
    expect(error).toMatchObject({ code: 'MANIFEST_MISSING', kind: 'refused' });
    expect(error.message).toContain('MANIFEST.json');
    expect(error.hint).toBeTruthy();
  });

  it.each([
    ['missing', undefined, /has no manifest_version/],
    ['0', 0, /manifest_version 0/],
    ['2', 2, /manifest_version 2.* up to version 1/],
    ['no number', '1', /manifest_version "1"/],
  ])('whose manifest_version is %s is refused', async (_, manifest_version, says) => {
    const input = archiveWith((manifest) => ({ ...manifest, manifest_version }));
    const error = await refusal({ input, force: true });
    expect(error).toMatchObject({ code: 'MANIFEST_VERSION', kind: 'refused' });
    expect(error.message).toMatch(says);
    expect(error.hint).toBeTruthy();
  });

  it('that is not JSON is refused', async () => {
    const error = await refusal({ input: archiveWith(() => '{ manifest'), force: true });
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', kind: 'refused' });
  });

  it('of another leoflow_version, with fields nobody knows, is fine', async () => {
    const input = archiveWith((manifest) => ({ ...manifest, leoflow_version: 'v9.9.9', moon_phase: { full: true } }));
    const result = await restore({ input, home: install.home, force: true, dryRun: true });
    expect(result).toMatchObject({ dryRun: true, manifest: { leoflow_version: 'v9.9.9' } });
  });
});

describe('the server', () => {
  it('that is older than the dump is refused, with both versions', async () => {
    const path = join(unpacked, 'datastore.sql');
    const dump = readFileSync(path, 'utf8');
    writeFileSync(path, dump.replace(/(Dumped from database version) \S+/, '$1 99.1'));
    try {
      const error = await refusal({ input: archiveWith((manifest) => manifest), force: true });
      expect(error).toMatchObject({ code: 'SERVER_TOO_OLD', kind: 'refused' });
      expect(error.message).toContain('99.1');
      expect(error.message).toContain(await install.cluster.psql('SHOW server_version'));
    } finally {
      writeFileSync(path, dump);
    }
  });
});
