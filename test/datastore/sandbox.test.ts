import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type ClusterLease,
  dropDatabase,
  leaseCluster,
  openDatastore,
  stageDatabase,
  stagedName,
  startDump,
  sweepStaged,
} from '../../src/engine/datastore/index.js';
import { SnapshotError } from '../../src/engine/errors.js';
import { type Cluster, serverAccount, startCluster } from '../support/postgres.js';
import { dumpOf, dumpText, failure, processesWith, temporaryHome } from './fixtures.js';

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

/** Everything of the server that a dump of one database must not touch. */
function outside(): Promise<string> {
  return cluster.psql(`
    SELECT 'role', rolname, rolsuper, rolcreaterole, rolpassword IS NULL FROM pg_authid ORDER BY 2;
    SELECT 'database', datname, datdba::regrole, datacl, datconnlimit, datistemplate FROM pg_database ORDER BY 2;
    SELECT 'setting', setdatabase, setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 2, 3;
    SELECT 'member', roleid::regrole, member::regrole FROM pg_auth_members ORDER BY 2, 3;
    SELECT 'tablespace', spcname FROM pg_tablespace ORDER BY 2;
    SELECT 'file', name, setting FROM pg_file_settings;
    SELECT 'treasure', count(*) FROM treasure;
    SELECT 'large object', count(*) FROM pg_largeobject_metadata;
    SELECT 'function', count(*) FROM pg_proc`);
}

describe('a good dump', () => {
  afterEach(async () => {
    for (const name of (await cluster.psql("SELECT datname FROM pg_database WHERE datname ~ 'staged|source'")).split(
      '\n',
    )) {
      if (name !== '') await dropDatabase(lease, name);
    }
  });

  test('is replayed to the same database, and leaves no role behind', async () => {
    const before = await outside();
    await cluster.psql('CREATE DATABASE source', 'postgres');
    await cluster.psql(RICH, 'source');
    const dump = startDump(await openDatastore({ home, dsn: cluster.urlOf('source') }));
    const staged = await stageDatabase(lease, dump.stdout);
    await dump.finished;
    expect(await dumpText(cluster, staged.name)).toBe(await dumpText(cluster, 'source'));
    const owners = await cluster.psql(
      `SELECT DISTINCT o FROM (SELECT relowner::regrole::text o FROM pg_class UNION ALL SELECT proowner::regrole::text FROM pg_proc
         UNION ALL SELECT typowner::regrole::text FROM pg_type UNION ALL SELECT extowner::regrole::text FROM pg_extension
         UNION ALL SELECT lomowner::regrole::text FROM pg_largeobject_metadata UNION ALL SELECT datdba::regrole::text FROM pg_database
         UNION ALL SELECT defaclrole::regrole::text FROM pg_default_acl) all_of_them`,
      staged.name,
    );
    expect(owners).toBe('leoflow');
    await staged.discard();
    await staged.discard();
    await cluster.psql('DROP DATABASE source', 'postgres');
    expect(await outside()).toBe(before);
  });

  test('of an older or newer release is replayed, with and without the lock of pg_dump', async () => {
    for (const preamble of ['', '\\restrict someKey\n']) {
      const staged = await stageDatabase(
        lease,
        dumpOf(preamble + OTHER_RELEASES + preamble.replace('restrict', 'unrestrict')),
      );
      expect(await cluster.psql('SELECT a, b FROM t', staged.name)).toBe('1|x');
      expect(await cluster.psql("SELECT 'a=>1'::hstore -> 'a'", staged.name)).toBe('1');
      await staged.discard();
    }
  });

  test('goes into a database like the live one', async () => {
    await cluster.psql(`ALTER DATABASE leoflow_dev SET search_path = "$user", public, "odd ""name";
      ALTER DATABASE leoflow_dev SET application_name = 'it''s'; CREATE ROLE reader; ALTER ROLE reader IN DATABASE leoflow_dev SET work_mem = '5MB';
      REVOKE CONNECT ON DATABASE leoflow_dev FROM PUBLIC; GRANT CONNECT ON DATABASE leoflow_dev TO reader;
      ALTER DATABASE leoflow_dev CONNECTION LIMIT 77`);
    try {
      const staged = await stageDatabase(lease, dumpOf(''));
      const [live, made] = await Promise.all(
        ['leoflow_dev', staged.name].map((name) =>
          cluster.psql(
            `SELECT encoding, datcollate, datctype, datconnlimit, datdba::regrole,
               (SELECT array_agg(a ORDER BY a) FROM unnest(datacl::text[]) a),
               (SELECT array_agg(setrole::regrole || ':' || setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
             FROM pg_database d WHERE datname = '${name}'`,
            'postgres',
          ),
        ),
      );
      expect(made).toBe(live);
      expect(made).toContain('reader');
    } finally {
      await cluster.psql(`ALTER DATABASE leoflow_dev RESET ALL; ALTER ROLE reader IN DATABASE leoflow_dev RESET ALL;
        ALTER DATABASE leoflow_dev CONNECTION LIMIT -1; GRANT CONNECT ON DATABASE leoflow_dev TO PUBLIC; DROP OWNED BY reader`);
      for (const name of (await cluster.psql("SELECT datname FROM pg_database WHERE datname ~ 'staged'")).split('\n')) {
        if (name !== '') await dropDatabase(lease, name);
      }
      await cluster.psql('DROP ROLE reader');
    }
  });

  test('is replayed over TCP, where the temporary role needs its password', async () => {
    const tcp = await leaseCluster({ home, dsn: cluster.tcpUrl });
    const staged = await stageDatabase(tcp, dumpOf('CREATE TABLE public.t (a int);'));
    expect(await cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 't'", staged.name)).toBe('leoflow');
  });

  test('is replayed for a role that is no superuser, but may create databases and roles', async () => {
    await cluster.psql(
      `CREATE ROLE builder LOGIN CREATEDB CREATEROLE; CREATE DATABASE built OWNER builder`,
      'postgres',
    );
    const url = cluster.urlOf('built').replace('leoflow@', 'builder@');
    const builders = await leaseCluster({ home, dsn: url });
    expect(builders.maySwap).toBe(true);
    const staged = await stageDatabase(builders, dumpOf('CREATE TABLE public.t (a int); CREATE EXTENSION hstore;'));
    expect(await cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 't'", staged.name)).toBe('builder');
    expect(await cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname ~ 'replay'")).toBe('0');
    await staged.discard();
    await cluster.psql('DROP DATABASE built', 'postgres');
    await cluster.psql('DROP ROLE builder', 'postgres');
  });
});

describe('a hostile dump fails and has no effect:', () => {
  let trap: string;
  beforeAll(async () => {
    trap = await mkdtemp(join(tmpdir(), 'lftrap-'));
    const account = serverAccount();
    if (account !== undefined)
      await import('node:fs/promises').then(({ chown }) => chown(trap, account.uid, account.gid));
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
    const before = await outside();
    const error = await failure(stageDatabase(lease, dumpOf(sql.replaceAll('TRAP', file))));
    expect(error.code).toBe('REPLAY_FAILED');
    expect(existsSync(file)).toBe(false);
    expect(await outside()).toBe(before);
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
    const before = await outside();
    // Whoever runs any of this tries something that only a superuser may.
    const staged = await stageDatabase(lease, dumpOf(BOOBY_TRAPS.replaceAll('TRAP', join(trap, 'sprung'))));
    expect(existsSync(join(trap, 'sprung'))).toBe(false);
    await staged.discard();
    await cluster.psql('DROP TABLE confessions', 'postgres');
    expect(await outside()).toBe(before);
  });
});

describe('a staging that does not end', () => {
  test('is undone when the source of the dump fails, and says what the source says', async () => {
    const before = await outside();
    async function* broken() {
      yield Buffer.from('CREATE TABLE public.t (a int);\n');
      throw new SnapshotError('DUMP_FAILED', 'the archive is damaged');
    }
    expect((await failure(stageDatabase(lease, broken()))).message).toBe('the archive is damaged');
    expect(await outside()).toBe(before);
  });

  test('is undone by an abort, with a source that says nothing more', async () => {
    const before = await outside();
    const stop = new AbortController();
    const name = stagedName();
    const silent = new Readable({ read() {} });
    silent.push('CREATE TABLE public.t (a int);\nSELECT pg_sleep(30);\n');
    setTimeout(() => stop.abort(), 700);
    const error = await failure(stageDatabase(lease, silent, { signal: stop.signal, name }));
    expect(error.code).toBe('INTERRUPTED');
    expect(silent.destroyed).toBe(true);
    expect(processesWith(name)).toEqual([]);
    expect(await outside()).toBe(before);
  });

  test('is undone when psql ends with the source still full', async () => {
    const before = await outside();
    const endless = Readable.from(
      (function* () {
        yield Buffer.from('SELECT * FROM nowhere;\n');
        for (;;) yield Buffer.from('SELECT 1;\n'.repeat(10_000));
      })(),
    );
    const error = await failure(stageDatabase(lease, endless));
    expect(error.message).toContain('at line 1 of the dump: relation "nowhere" does not exist');
    expect(await outside()).toBe(before);
  });

  test('is reported when the server dies, and swept by the next restore', async () => {
    const before = await outside();
    const silent = new Readable({ read() {} });
    silent.push('CREATE TABLE public.t (a int);\n');
    const staging = failure(stageDatabase(lease, silent));
    await new Promise((resolve) => setTimeout(resolve, 700));
    await cluster.crash();
    silent.push('SELECT 1;\n');
    silent.push('-- PostgreSQL database dump complete\n');
    silent.push(null);
    expect((await staging).code).toBe('REPLAY_FAILED');
    await cluster.start();
    expect(await cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname ~ 'replay'")).toBe('1');
    const kept = await stageDatabase(lease, dumpOf(''));
    await sweepStaged(lease, [kept.name]);
    expect(await cluster.psql(`SELECT count(*) FROM pg_database WHERE datname = '${kept.name}'`)).toBe('1');
    await kept.discard();
    expect(await outside()).toBe(before);
  });
});

test('no password of the temporary role stands on a command line', async () => {
  const seen: string[] = [];
  const watched = (async function* () {
    for (const line of ['CREATE TABLE public.t (a int);\n', '-- PostgreSQL database dump complete\n']) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      seen.push(...processesWith('leoflow_replay_'));
      yield Buffer.from(line);
    }
  })();
  const staged = await stageDatabase(lease, watched);
  await staged.discard();
  expect(seen.some((line) => line.includes('psql'))).toBe(true);
  expect(seen.filter((line) => /password|restrict/i.test(line))).toEqual([]);
});

/** What a real schema may hold, and data that looks like everything else. */
const RICH = `
  CREATE EXTENSION hstore; CREATE EXTENSION pgcrypto;
  CREATE SCHEMA "odd; schema";
  CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE dag (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL, tags hstore, m mood, p positive DEFAULT 1);
  CREATE TABLE run (id serial PRIMARY KEY, dag bigint REFERENCES dag, at timestamptz DEFAULT now(), body bytea) ;
  CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
  CREATE INDEX ON run (at DESC) WHERE dag IS NOT NULL;
  CREATE TABLE "odd; schema"."t""able" ("c;ol" text DEFAULT 'a''; \\restrict x --');
  CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 END; END;
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- COMMIT;
    RETURN NEW; END $$;
  CREATE FUNCTION dummy() RETURNS text LANGUAGE sql AS $$
SELECT 'x
\\restrict inside
COMMIT;
'
$$;
  DROP FUNCTION g;
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER t BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION g();
  CREATE VIEW v AS SELECT d.name, r.at FROM dag d JOIN run r ON r.dag = d.id;
  CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM dag;
  CREATE RULE r AS ON DELETE TO dag DO INSTEAD NOTHING;
  ALTER TABLE run ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON run USING (dag > 0);
  CREATE PUBLICATION pub FOR TABLE run;
  COMMENT ON TABLE dag IS E'multi\\nline; \\\\restrict x\\n\\\\.\\n';
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; GRANT SELECT ON dag TO PUBLIC;
  INSERT INTO dag (name, tags, m) VALUES
    (E'\\\\.', 'a=>1', 'sad'), (E'\\\\restrict x', NULL, NULL), (E'\\restrict\\n\\\\.\\n', NULL, NULL), (E'COMMIT;\\nBEGIN;', '', 'it''s ok'),
    (E'\\restrict looks-like-it', NULL, NULL), (E'Grüße \\u2028 \\t', NULL, NULL);
  INSERT INTO run (dag, body) SELECT 1, decode(md5(i::text), 'hex') FROM generate_series(1, 5000) i;
  INSERT INTO parted VALUES (1, 'x'); REFRESH MATERIALIZED VIEW mv;
  SELECT lo_from_bytea(424242, decode(repeat('00ff5c2e0a', 20000), 'hex'));
  COMMENT ON LARGE OBJECT 424242 IS 'large';
  CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (26, false);
`;

/** Statements that pg_dump of other releases writes. */
const OTHER_RELEASES = `
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

ALTER TABLE IF EXISTS ONLY public.t DROP CONSTRAINT IF EXISTS t_pkey;
DROP TABLE IF EXISTS public.t;
DROP EXTENSION IF EXISTS hstore;
DROP EXTENSION IF EXISTS plpgsql;
DROP SCHEMA IF EXISTS public;
--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA public;


--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS 'standard public schema';
CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;
COMMENT ON EXTENSION hstore IS 'data type for storing sets of (key, value) pairs';
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.t (
    a integer NOT NULL,
    b text
);
COPY public.t (a, b) FROM stdin;
1\tx
\\.
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a);
`;

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
CREATE INDEX ON public.t ((b + public.stable())) WHERE public.stable() = 1;
CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.t EXECUTE FUNCTION public.trigger();
CREATE VIEW public.schema_migrations AS SELECT public.spring()::bigint AS version;
CREATE MATERIALIZED VIEW public.m AS SELECT public.spring();
CREATE FUNCTION public.count(anyelement) RETURNS bigint LANGUAGE sql AS 'SELECT public.spring()::bigint';
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = pg_catalog.nameeqtext);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON public.t USING (public.spring() = 1);
`;
