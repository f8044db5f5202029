import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClusterLease, leaseCluster, replayInPlace, stageDatabase } from '../../src/engine/datastore/index.js';
import { type Cluster, serverAccount, startCluster } from '../support/postgres.js';
import { dumpOf, failure, outside, temporaryHome } from './fixtures.js';

let cluster: Cluster;
let lease: ClusterLease;
let home: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster({ port: 0, password: 'secret' });
  await cluster.psql('CREATE TABLE treasure (id int); INSERT INTO treasure VALUES (1)');
  lease = await leaseCluster({ home, dsn: cluster.url });
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});

describe('a hostile dump fails and has no effect:', () => {
  let trap: string;
  beforeAll(async () => {
    trap = await mkdtemp(join(tmpdir(), 'lftrap-'));
    const account = serverAccount();
    if (account !== undefined) await chown(trap, account.uid, account.gid);
  });
  afterAll(() => rm(trap, { recursive: true, force: true }));

  test.each([
    ['a shell command', '\\! touch TRAP'],
    ['a shell command behind SQL', 'SELECT 1; \\! touch TRAP'],
    ['a shell command in backquotes', '\\set x `touch TRAP`'],
    ['\\copy from a program', "\\copy t from program 'touch TRAP'"],
    ['\\copy to a file', "\\copy (SELECT 1) to 'TRAP'"],
    ['\\o', '\\o TRAP'],
    ['\\o to a program', '\\o | touch TRAP'],
    ['\\g', 'SELECT 1 \\g TRAP'],
    ['\\w', 'SELECT 1 \\w TRAP'],
    ['\\i', '\\i /etc/passwd'],
    ['\\connect', '\\connect leoflow_dev leoflow'],
    ['\\setenv', '\\setenv PGUSER leoflow'],
    ['an unlocking with a guess', '\\unrestrict 0000\n\\! touch TRAP'],
    ['a lock of its own', '\\restrict mine\n\\unrestrict mine\n\\! touch TRAP'],
    ['a lock in the middle of a statement', 'SELECT\n\\restrict mine\n1;\n\\unrestrict mine\n\\! touch TRAP'],
    ['an unlocking whose key is a program', '\\unrestrict `touch TRAP`'],
    ['the same behind SQL', 'SELECT 1 \\unrestrict `touch TRAP`'],
    ['the same with a key in quotes', '\\unrestrict "`touch TRAP`" `touch TRAP`'],
    [
      'the same after a literal that goes on',
      "SELECT E'a'\n'b\\'; \\unrestrict `touch TRAP`\n--';\n\\unrestrict `touch TRAP`",
    ],
    ['the same in what looks like data', "SELECT E'a'\n'\\'; COPY t FROM stdin;\n'; \\unrestrict `touch TRAP`\n\\.\n"],
    [
      'the same in data',
      'CREATE TABLE public.x (a text);\nCOPY public.x FROM stdin;\n\\unrestrict `touch TRAP`\n\\.\n',
    ],
    ['the same cut in two by a NUL', '\\unr\0\nestrict `touch TRAP`'],
    ['the same in another encoding', "SET client_encoding = 'SJIS';\nSELECT '\x83'; \\unrestrict `touch TRAP`\n--';"],
    [
      'the same without standard strings',
      "SET standard_conforming_strings = off;\nSELECT 'a\\'; \\unrestrict `touch TRAP`\n';",
    ],
    ['COPY TO PROGRAM', "COPY (SELECT 1) TO PROGRAM 'touch TRAP';"],
    ['COPY TO PROGRAM in a block', "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch TRAP'''; END $$;"],
    ['COPY TO a file', "COPY (SELECT 1) TO 'TRAP';"],
    ['COPY FROM a file', "CREATE TABLE public.x (a text); COPY public.x FROM '/etc/passwd';"],
    ['a large object from a file', "SELECT lo_import('/etc/passwd');"],
    ['a large object to a file', "SELECT lo_export(lo_from_bytea(0, 'x'), 'TRAP');"],
    ['reading a file', "SELECT pg_read_file('/etc/passwd');"],
    ['listing a directory', "SELECT * FROM pg_ls_dir('/');"],
    ['the role of the install', 'SET ROLE leoflow;'],
    ['the session of the install', 'SET SESSION AUTHORIZATION leoflow;'],
    [
      'the role behind the session',
      "RESET SESSION AUTHORIZATION; RESET ROLE; COPY (SELECT 1) TO PROGRAM 'touch TRAP';",
    ],
    ['a new superuser', 'CREATE ROLE evil SUPERUSER LOGIN;'],
    ['a new role', 'CREATE ROLE evil;'],
    ['becoming a superuser', 'ALTER ROLE CURRENT_USER SUPERUSER;'],
    ["the install's password", "ALTER ROLE leoflow PASSWORD 'x';"],
    ['a setting of the server', "ALTER SYSTEM SET archive_command = 'touch TRAP';"],
    ['a setting of the live database', "ALTER DATABASE leoflow_dev SET search_path = 'evil';"],
    [
      'a setting of its own database',
      "SELECT format('ALTER DATABASE %I SET search_path = evil', current_database()) AS s \\gexec",
    ],
    [
      'the same by EXECUTE',
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil', current_database()); END $$;",
    ],
    [
      'a library for later sessions',
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET local_preload_libraries = evil', current_database()); END $$;",
    ],
    [
      'a grant on its own database',
      "DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO PUBLIC', current_database()); END $$;",
    ],
    [
      'a limit on its own database',
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()); END $$;",
    ],
    [
      'its own database as a template',
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database()); END $$;",
    ],
    ['another database dropped', 'COMMIT;\nDROP DATABASE leoflow_dev;'],
    ['another database renamed', 'ALTER DATABASE leoflow_dev RENAME TO gone;'],
    ['dblink', 'CREATE EXTENSION dblink;'],
    ['postgres_fdw', 'CREATE EXTENSION postgres_fdw;'],
    ['file_fdw', 'CREATE EXTENSION file_fdw;'],
    ['adminpack', 'CREATE EXTENSION adminpack;'],
    ['a C function', "CREATE FUNCTION public.x(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system';"],
    [
      'an event trigger',
      'CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.e();',
    ],
    ['a tablespace', "CREATE TABLESPACE evil LOCATION 'TRAP';"],
    ['a loaded library', "LOAD 'TRAP';"],
    [
      'ending sessions',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'leoflow'; SELECT 1/0;",
    ],
    ['passwords', 'SELECT * FROM pg_authid;'],
    ['an end of the transaction', 'SELECT 1; COMMIT; SELECT 2;'],
    ['an open literal', "SELECT '"],
    ['an open comment', '/*'],
    ['open COPY data', 'CREATE TABLE public.x (a text);\nCOPY public.x (a) FROM stdin;\n'],
    ['an error', 'SELECT * FROM public.nowhere;'],
  ])('%s', async (_, sql) => {
    const file = join(trap, 'sprung');
    const before = await outside(cluster);
    const error = await failure(stageDatabase(lease, dumpOf(sql.replaceAll('TRAP', file))));
    expect(error.code).toBe('REPLAY_FAILED');
    expect(existsSync(file)).toBe(false);
    expect(await outside(cluster)).toBe(before);
  });

  test('the error names the line and what psql says', async () => {
    const error = await failure(stageDatabase(lease, dumpOf('SELECT 1;\nBEGIN;\nSELECT * FROM nowhere;')));
    expect(error.message).toBe(
      'the dump could not be replayed: psql failed at line 10 of the dump: relation "nowhere" does not exist; LINE 1: SELECT * FROM nowhere;',
    );
    const locked = await failure(stageDatabase(lease, dumpOf('\\! id')));
    expect(locked.message).toMatch(/at line 8 of the dump: backslash commands are restricted/);
  });

  test('what it defines is not run by us with more power than its own', async () => {
    await cluster.psql('CREATE TABLE confessions (who text); GRANT INSERT ON confessions TO PUBLIC', 'postgres');
    const before = await outside(cluster);
    // Whoever runs any of this tries something that only a superuser may.
    const staged = await stageDatabase(lease, dumpOf(BOOBY_TRAPS.replaceAll('TRAP', join(trap, 'sprung'))));
    expect(existsSync(join(trap, 'sprung'))).toBe(false);
    await staged.discard();
    await cluster.psql('DROP TABLE confessions', 'postgres');
    expect(await outside(cluster)).toBe(before);
  });
});

describe('code that the server would run by itself, with the power of whom the tables belong to:', () => {
  const code = `
    CREATE FUNCTION public.f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION public.f(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.0::float8';
    CREATE OPERATOR public.!! (RIGHTARG = int, FUNCTION = public.f);
    CREATE OPERATOR public.@@@ (RIGHTARG = float8, FUNCTION = pg_catalog.dsqrt);
    CREATE DOMAIN public.d AS text CHECK (pg_catalog.query_to_xml('SELECT 1', true, true, '') IS NOT NULL);
    CREATE TYPE public.c AS (d public.d); CREATE TYPE public.e AS ENUM ('a', 'b');
    CREATE TABLE public.t (a int, b text, c float8, e public.e);
    CREATE TABLE public.p (a int) PARTITION BY LIST (a);
    CREATE MATERIALIZED VIEW public.m AS SELECT a FROM public.t;
  `;

  test.each([
    ['the expression of an index', 'CREATE INDEX i ON public.t ((a + public.f()))', 'index public.i'],
    ['the predicate of an index', 'CREATE INDEX i ON public.t (a) WHERE public.f(a) = 1', 'index public.i'],
    [
      'an index behind a constraint',
      'ALTER TABLE public.t ADD CONSTRAINT i EXCLUDE USING btree ((public.f(a)) WITH =)',
      'index public.i',
    ],
    ['an index of a partitioned table', 'CREATE INDEX i ON public.p (public.f(a))', 'index public.i'],
    ['an index of a materialized view', 'CREATE INDEX i ON public.m (public.f(a))', 'index public.i'],
    ['an operator', 'CREATE INDEX i ON public.t ((OPERATOR(public.!!) a))', 'index public.i'],
    ['an operator for what the server has', 'CREATE INDEX i ON public.t ((OPERATOR(public.@@@) c))', 'index public.i'],
    ['a domain, whose check calls what the server has', 'CREATE INDEX i ON public.t ((b::public.d))', 'index public.i'],
    ['a row with a domain in it', 'CREATE INDEX i ON public.t ((ROW(b)::public.c))', 'index public.i'],
    ['an array of a domain', 'CREATE INDEX i ON public.t ((ARRAY[b]::public.d[]))', 'index public.i'],
    ['statistics', 'CREATE STATISTICS public.s ON (a + public.f()), b FROM public.t', 'statistics object public.s'],
    ['a range', 'CREATE TYPE public.r AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = public.f)', 'type public.r'],
    [
      'a cast',
      "CREATE FUNCTION public.j(public.e) RETURNS json LANGUAGE sql IMMUTABLE AS $$SELECT '1'::json$$; CREATE CAST (public.e AS json) WITH FUNCTION public.j(public.e)",
      'cast from public.e to json',
    ],
    [
      'a function put into an extension',
      'CREATE EXTENSION hstore SCHEMA public; ALTER EXTENSION hstore ADD FUNCTION public.f(int); CREATE INDEX i ON public.t (public.f(a))',
      'index public.i',
    ],
    [
      'a function given away',
      'GRANT CREATE ON SCHEMA public TO pg_database_owner; ALTER FUNCTION public.f(int) OWNER TO pg_database_owner; CREATE INDEX i ON public.t (public.f(a))',
      'index public.i',
    ],
  ])('%s', async (_, sql, what) => {
    const before = await outside(cluster);
    const error = await failure(stageDatabase(lease, dumpOf(`SET search_path = public;${code}${sql};`)));
    expect({ code: error.code, kind: error.kind, message: error.message }).toEqual({
      code: 'REPLAY_UNSAFE',
      kind: 'refused',
      message: `the dump brings code that the server would run by itself, with the power of the install's role: ${what}`,
    });
    expect(error.hint).toContain('--dsn');
    expect(await outside(cluster)).toBe(before);
  });

  test('all else is replayed', async () => {
    const staged = await stageDatabase(
      lease,
      dumpOf(`SET search_path = public; CREATE EXTENSION hstore; CREATE EXTENSION citext;${code}
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE DOMAIN email AS text CHECK (VALUE ~ '@');
        CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
        CREATE TABLE u (id int DEFAULT f(), mail email, e e, h hstore, s span, n text CHECK (f() = 1), g int GENERATED ALWAYS AS (f(id)) STORED);
        CREATE TRIGGER touch BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE INDEX ON u (lower(mail), (n::citext)) WHERE e = 'a' OR e = ANY ('{a,b}'::e[]);
        CREATE INDEX ON u ((h -> 'a')); CREATE INDEX ON u USING gin (h); CREATE INDEX ON u USING gist (s);
        CREATE STATISTICS st ON (length(n)), id FROM u;
        INSERT INTO u (mail, e) VALUES ('a@b', 'a');`),
    );
    expect(await cluster.psql('SELECT count(*) FROM u', staged.name)).toBe('1');
    await staged.discard();
  });

  test('is no danger where the dump is replayed in place', async () => {
    await cluster.psql('CREATE ROLE tenant LOGIN', 'postgres');
    await cluster.psql('CREATE DATABASE tenancy OWNER tenant', 'postgres');
    const dsn = cluster.urlOf('tenancy').replace('leoflow@', 'tenant@');
    const index = 'SET search_path = public; CREATE INDEX i ON t (f(a));';
    await replayInPlace(await leaseCluster({ home, dsn }), dumpOf(code + index), { endSessions: false });
    expect(await cluster.psql("SELECT to_regclass('i')", 'tenancy')).toBe('i');
    await cluster.psql('DROP DATABASE tenancy; ', 'postgres');
    await cluster.psql('DROP ROLE tenant', 'postgres');
  });
});

/** Definitions that would spring if a superuser touched the tables. */
const BOOBY_TRAPS = `
CREATE FUNCTION public.spring() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch TRAP''';
  END IF;
  RETURN 1;
END $$;
CREATE FUNCTION public.stable() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT public.spring()';
CREATE FUNCTION public.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.spring(); RETURN NEW; END $$;
CREATE TABLE public.t (a int DEFAULT public.spring(), b int, CHECK (public.stable() = 1));
INSERT INTO public.t VALUES (1, 1);
CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.t EXECUTE FUNCTION public.trigger();
CREATE VIEW public.schema_migrations AS SELECT public.spring()::bigint AS version;
CREATE MATERIALIZED VIEW public.m AS SELECT public.spring();
CREATE FUNCTION public.count(anyelement) RETURNS bigint LANGUAGE sql AS 'SELECT public.spring()::bigint';
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = pg_catalog.nameeqtext);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON public.t USING (public.spring() = 1);
`;
