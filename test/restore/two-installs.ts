/** An install that can be the one of two archives, and tells which: whole A, whole B, or neither. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { configOf, createInstall, setupOf, type TestInstall } from '../support/install.js';
import { look, put } from '../support/tree.js';
import { backup } from './faults.js';

export type Version = 'A' | 'B';

export interface TwoInstalls extends TestInstall {
  archives: Record<Version, string>;
  /** Which of the two the install is, with the database asked; otherwise everything that is there. */
  version(): Promise<Version | object>;
  /** Everything that belongs to no whole install: by path, or by name in the datastore. */
  strays(): Promise<string[]>;
  /** Removes those, as a restore does that finds them. */
  sweep(): Promise<void>;
}

/** Makes an install, and archives of two versions of it. It is B in the end. */
export async function createTwoInstalls(): Promise<TwoInstalls> {
  const install = await createInstall({ sql: 'SELECT' });
  const { base, home, workspace, out, cluster } = install;
  const archives = { A: join(out, 'a.tar.gz'), B: join(out, 'b.tar.gz') };

  const snapshot = async () => ({
    tree: [...look(workspace)].map(([path, seen]) => (seen.kind === 'directory' ? path : [path, seen])),
    config: readFileSync(join(home, 'config.yaml'), 'utf8'),
    setup: readFileSync(join(home, 'setup.json'), 'utf8'),
    database: await cluster.psql(
      "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace; SELECT * FROM version",
    ),
  });
  const known: [Version, string][] = [];
  carriedOver(workspace);
  for (const version of ['A', 'B'] as const) {
    grow(workspace, version);
    writeFileSync(join(home, 'config.yaml'), `${configOf(workspace)}# ${version}\n`);
    writeFileSync(
      join(home, 'setup.json'),
      setupOf(workspace).replace('2026-05-28', version === 'A' ? '2026-01-01' : '2026-02-02'),
    );
    await cluster.psql(SQL[version]);
    await backup({ home, output: archives[version] });
    known.push([version, JSON.stringify(await snapshot())]);
  }

  return {
    ...install,
    archives,
    version: async () => {
      const found = await snapshot().catch((error: unknown) => ({ error: String(error) }));
      return known.find(([, text]) => text === JSON.stringify(found))?.[0] ?? found;
    },
    strays: async () => [
      ...namesBut(base, ['home', 'flows', 'out']),
      ...namesBut(home, ['config.yaml', 'setup.json', 'pgdata', 'dev']),
      ...(await inDatastore(install)),
    ],
    sweep: async () => {
      for (const directory of [base, home]) {
        for (const name of readdirSync(directory)) {
          if (!name.endsWith('.partial')) continue;
          execFileSync('chmod', ['-R', 'u+rwX', join(directory, name)]);
          rmSync(join(directory, name), { recursive: true });
        }
      }
      for (const stray of await inDatastore(install)) await cluster.psql(`DROP ${stray}`, 'postgres');
    },
    remove: async () => {
      await install.remove();
    },
  };
}

const SQL: Record<Version, string> = {
  A: `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
      INSERT INTO schema_migrations VALUES (15, false);
      CREATE TABLE version AS SELECT 'A' AS version;`,
  B: `UPDATE version SET version = 'B'; UPDATE schema_migrations SET version = 16;
      CREATE TABLE newer (version bigint REFERENCES schema_migrations);`,
};

/** What is never archived, at the top, further down, and where its owner may not write. */
function carriedOver(workspace: string): void {
  put(join(workspace, '.git', 'HEAD'), 'ref: refs/heads/main\n');
  put(join(workspace, 'dags', '.venv', 'pyvenv.cfg'), 'home = /usr/bin\n');
  put(join(workspace, 'locked', '__pycache__', 'etl.pyc'), 'compiled');
}

function grow(workspace: string, version: Version): void {
  const [locked, dags] = [join(workspace, 'locked'), join(workspace, 'dags')];
  chmodSync(locked, 0o755);
  put(join(workspace, 'README.md'), `version ${version}`);
  put(join(dags, 'etl.py'), `# ${version}`);
  put(join(dags, `${version}.py`), version);
  put(join(locked, 'file'), version);
  if (version === 'A') {
    mkdirSync(join(dags, 'empty'));
    symlinkSync('etl.py', join(dags, 'link'));
  } else {
    rmSync(join(dags, 'empty'), { recursive: true });
    rmSync(join(dags, 'A.py'));
  }
  chmodSync(locked, 0o555);
  for (const [index, path] of [locked, dags, workspace].entries()) {
    utimesSync(path, 1_600_000_000 + index, 1_600_000_000 + index);
  }
}

function namesBut(directory: string, known: readonly string[]): string[] {
  const names = readdirSync(directory).filter((name) => !known.includes(name));
  return names.map((name) => join(directory, name));
}

/** As they are named after DROP. */
async function inDatastore({ cluster }: TestInstall): Promise<string[]> {
  const names = await cluster.psql(
    `SELECT 'DATABASE ' || quote_ident(datname) FROM pg_database WHERE datname !~ '^(template.|postgres|leoflow_dev)$'
     UNION ALL SELECT 'ROLE ' || quote_ident(rolname) FROM pg_roles WHERE rolname !~ '^(pg_.*|leoflow)$';`,
    'postgres',
  );
  return names === '' ? [] : names.split('\n');
}
