/** A Leoflow Lite install as `leoflow setup` and a first run leave it: a home with a running cluster in it, and a workspace. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, type ClusterOptions, startCluster } from './postgres.js';

export interface TestInstall {
  /** The directory that holds everything else. */
  base: string;
  home: string;
  workspace: string;
  /** An empty directory for archives. */
  out: string;
  /** A path in `out`. */
  archive: string;
  cluster: Cluster;
  /** What lies in `out`. */
  left(): string[];
  /** Another home with an empty workspace, and no datastore of its own: `dsn` is the first one's. */
  another(): { home: string; workspace: string; dsn: string };
  remove(): Promise<void>;
}

/** A small database: two tables as Lite has them, and every shape of value that a dump can get wrong. */
export const SAMPLE_SQL = `
  CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
  INSERT INTO schema_migrations VALUES (15, false);
  CREATE TABLE dag (id text PRIMARY KEY, source text, made timestamptz NOT NULL DEFAULT '2026-05-28 14:30:45+00');
  CREATE TABLE run (id bigserial PRIMARY KEY, dag text NOT NULL REFERENCES dag, conf jsonb, state text, log bytea);
  CREATE INDEX run_state ON run (state) WHERE state <> 'done';
  CREATE VIEW failed AS SELECT * FROM run WHERE state = 'failed';
  INSERT INTO dag VALUES ('etl', E'line one\\nline\\ttwo \\\\ back \\\\.'), ('日本', NULL), ('', '');
  INSERT INTO run (dag, conf, state, log)
    SELECT 'etl', jsonb_build_object('n', n), CASE n % 3 WHEN 0 THEN 'failed' ELSE 'done' END, decode(md5(n::text), 'hex')
    FROM generate_series(1, 2000) n;`;

/** A table whose dump takes this many bytes of archive, as far as deflate can tell. */
export function bulkSql(bytes: number): string {
  const rows = Math.ceil(bytes / 16 / 64);
  return `CREATE TABLE bulk AS
    SELECT n, (SELECT string_agg(md5(random()::text || m || n), '') FROM generate_series(1, 64) m) AS noise
    FROM generate_series(1, ${rows}) n;`;
}

/** Makes an install; `remove` it in the end. */
export async function createInstall(options: { sql?: string; cluster?: ClusterOptions } = {}): Promise<TestInstall> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'lfbk-')));
  const [home, workspace, out] = [join(base, 'home'), join(base, 'flows'), join(base, 'out')];
  const furnish = (home: string, workspace: string) => {
    for (const directory of [home, workspace]) mkdirSync(directory);
    chmodSync(home, 0o750);
    writeFileSync(join(home, 'config.yaml'), configOf(workspace), { mode: 0o600 });
    writeFileSync(join(home, 'setup.json'), setupOf(workspace), { mode: 0o644 });
  };
  furnish(home, workspace);
  mkdirSync(out);
  const cluster = await startCluster({ dir: join(home, 'pgdata'), ...options.cluster });
  const remove = async () => {
    await cluster.stop();
    // Root removes what it cannot enter; nobody else does.
    if (process.getuid?.() !== 0) execFileSync('chmod', ['-R', 'u+rwX', base]);
    // Paths in it can be longer than Node may name.
    execFileSync('rm', ['-rf', base]);
  };
  try {
    await cluster.psql(options.sql ?? SAMPLE_SQL);
  } catch (error) {
    await remove();
    throw error;
  }
  let others = 0;
  return {
    base,
    home,
    workspace,
    out,
    archive: join(out, 'snap.tar.gz'),
    cluster,
    left: () => readdirSync(out).sort(),
    another: () => {
      others += 1;
      const other = { home: join(base, `home-${others}`), workspace: join(base, `flows-${others}`) };
      furnish(other.home, other.workspace);
      return { ...other, dsn: cluster.url };
    },
    remove,
  };
}

/** `config.yaml` for a workspace, with a comment and made-up secrets. */
export function configOf(workspace: string): string {
  return [
    '# Written by `leoflow setup` (Leoflow Lite).',
    'parser_cmd: "/usr/bin/python3 -m leoflow_parser"',
    `workspace: ${JSON.stringify(workspace)}`,
    'lite_executor: "subprocess"        # or "k8s"',
    'admin_email: "admin@leoflow.local"',
    `jwt_secret: "${'0f'.repeat(32)}"`,
    '',
  ].join('\n');
}

/** `setup.json` for a workspace. */
export function setupOf(workspace: string): string {
  const setup = {
    python: '/usr/bin/python3',
    workspace,
    tier: 'lite',
    os: 'linux',
    arch: 'amd64',
    updated_at: '2026-05-28T14:00:00Z',
  };
  return `${JSON.stringify(setup, null, 2)}\n`;
}
