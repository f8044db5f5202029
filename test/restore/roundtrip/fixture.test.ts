/** Archives of the Go implementation, and whatever standard tools make of them, restore exactly (docs/format.md, "Compatibility"). */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restore } from '../../support/library.js';
import { type Cluster, serverAccount, startCluster } from '../../support/postgres.js';
import { look } from '../../support/tree.js';

const FIXTURE = fileURLToPath(new URL('../../fixtures/reference-v1.tar.gz', import.meta.url));

let base: string;
let unpacked: string;
/** Has the datastore of all but the first restore: how an archive is packed, and where its dump goes, are two matters. */
let server: Cluster;

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'lffx-')));
  unpacked = join(base, 'unpacked');
  mkdirSync(unpacked);
  execFileSync('tar', ['xzf', FIXTURE, '-C', unpacked]);
  // PostgreSQL runs as the owner of the home, which root cannot be.
  const account = serverAccount();
  if (account !== undefined) chownSync(base, account.uid, account.gid);
  server = await startCluster();
});

afterAll(async () => {
  await server?.stop();
  rmSync(base, { recursive: true, force: true });
});

/** Shuffled, so that the manifest is the last of all. */
const PYTHON = `
import os, sys, tarfile
archive, root = sys.argv[1:]
names = sorted(os.path.relpath(os.path.join(d, f), root) for d, _, files in os.walk(root) for f in files)
with tarfile.open(archive, 'w:gz', format=tarfile.PAX_FORMAT) as tar:
    for name in names[::-1]:
        tar.add(os.path.join(root, name), arcname=name)
`;

const REPACKED: [string, (archive: string) => void][] = [
  ['as it was written', (archive) => execFileSync('cp', [FIXTURE, archive])],
  ...['ustar', 'gnu', 'posix'].map((format): [string, (archive: string) => void] => [
    `by GNU tar as ${format}, with ./ in front`,
    (archive) => execFileSync('tar', ['czf', archive, `--format=${format}`, '-C', unpacked, '.']),
  ]),
  [
    'by GNU tar, the known files last',
    (archive) => {
      const names = ['workspace', 'datastore.sql', 'setup.json', 'config.yaml', 'MANIFEST.json'];
      execFileSync('tar', ['czf', archive, '-C', unpacked, ...names]);
    },
  ],
  ['by bsdtar', (archive) => execFileSync('bsdtar', ['czf', archive, '-C', unpacked, '.'])],
  ['by Python, backwards', (archive) => execFileSync('python3', ['-c', PYTHON, archive, unpacked])],
  ['by pigz', (archive) => execFileSync('sh', ['-c', 'gzip -dc "$1" | pigz > "$2"', 'sh', FIXTURE, archive])],
];

describe('the archive of the Go implementation restores exactly', () => {
  it.each(REPACKED)('%s', async (how, pack) => {
    const user = mkdtempSync(join(base, 'u'));
    const archive = join(user, 'x.tar.gz');
    pack(archive);
    const account = serverAccount();
    if (account !== undefined) chownSync(user, account.uid, account.gid);
    const home = join(user, '.leoflow');

    const isElsewhere = how !== REPACKED[0]?.[0];
    if (isElsewhere) await server.psql('DROP DATABASE IF EXISTS leoflow_dev WITH (FORCE)', 'postgres');
    const result = await restore({ input: archive, home, ...(isElsewhere && { dsn: server.url }) });

    const cluster = isElsewhere ? 'external' : 'provisioned';
    expect(result.datastore).toMatchObject({ cluster, inPlace: false });
    expect(result.workspace).toMatchObject({ path: join(user, 'leoflow'), files: 7 });
    // GNU tar and Python have noted whatever modes and times the unpacked files had; the content is what counts.
    expect(contents(join(user, 'leoflow'))).toEqual(contents(join(unpacked, 'workspace')));

    const config = readFileSync(join(unpacked, 'config.yaml'), 'utf8');
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toBe(config.replaceAll('/home/alice', user));
    expect(statSync(join(home, 'config.yaml')).mode & 0o777).toBe(0o600);
    const setup = JSON.parse(readFileSync(join(home, 'setup.json'), 'utf8'));
    expect(setup.workspace).toBe(join(user, 'leoflow'));

    expect(await (isElsewhere ? server.psql(COUNTS) : counts(join(home, 'pgdata')))).toBe('2|500|15');
  });
});

/** Files with their content. */
function contents(root: string): Record<string, string> {
  const files = [...look(root)].filter(([path]) => statSync(join(root, path)).isFile());
  return Object.fromEntries(files.map(([path]) => [path, readFileSync(join(root, path), 'base64')]));
}

/** Rows of the three tables. */
const COUNTS =
  'SELECT (SELECT count(*) FROM sample_dag), (SELECT count(*) FROM sample_run), (SELECT version FROM schema_migrations)';

/** The same, by a server of our own on the restored cluster. */
async function counts(pgdata: string): Promise<string> {
  const cluster: Cluster = await startCluster({ dir: pgdata, adopt: true });
  try {
    return await cluster.psql(COUNTS);
  } finally {
    await cluster.stop();
  }
}
