/** `deep`: the dump is replayed, for nothing but to see whether it can be, and everything is as it was before. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshPlace } from '../restore/fresh-place.js';
import { processesOf, startLeoflow, until } from '../support/cli.js';
import { blocksOf, DUMP, indexed, largeFile } from '../support/forge/archive.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, restore, verify } from '../support/library.js';
import { Shelf, said } from './support.js';

const shelf = new Shelf();
let install: TestInstall;
let archive: Buffer;

beforeAll(async () => {
  install = await createInstall();
  await backup({ home: install.home, output: install.archive, workers: 2 });
  archive = readFileSync(install.archive);
});
afterAll(async () => {
  await install?.remove();
  shelf.remove();
});

/** Databases and roles of the server. */
function outside(): Promise<string> {
  return install.cluster.psql(
    'SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1',
    'postgres',
  );
}

function dumpOf(sql: string) {
  return indexed(
    blocksOf({ dump: [largeFile('datastore.sql', Buffer.from(DUMP.replace('INSERT', `${sql}\nINSERT`)))] }),
  );
}

describe('on the server of the home, where it runs', () => {
  test('a good dump: tables and rows are counted', async () => {
    const before = await outside();
    const verdict = await shelf.verdict(archive, { deep: true, home: install.home });
    expect(verdict).toMatchObject({
      verdict: 'good',
      // schema_migrations, dag, run
      replayed: { server: join(install.home, 'pgdata/.s.PGSQL.5432'), tables: 3, rows: 1 + 3 + 2000 },
    });
    expect(await outside()).toBe(before);
  });

  test('one that does not replay is damaged, and the line is named', async () => {
    const before = await outside();
    for (const sql of ['CREATE TABLE broken (;', 'SELECT 1/0;']) {
      const verdict = said(await shelf.verdict(dumpOf(sql), { deep: true, home: install.home }));
      expect(verdict).toMatchObject({ verdict: 'damaged', codes: ['REPLAY_FAILED'], entries: [] });
      expect(verdict.messages[0]).toMatch(/line \d+/);
    }
    expect(await outside()).toBe(before);
  });

  test('what a dump must not do is refused here, too', async () => {
    const verdict = said(await shelf.verdict(dumpOf('\\! touch /tmp/pwned'), { deep: true, home: install.home }));
    expect(verdict.verdict).not.toBe('good');
    expect(await outside()).not.toContain('leoflow_staged');
  });

  test('one with code that a server would run by itself is refused, and the next one is looked at', async () => {
    const before = await outside();
    const sql = `CREATE FUNCTION public.f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE TABLE public.own (a text); CREATE INDEX own_f ON public.own (public.f(a));`;
    const archives = [shelf.put(dumpOf(sql), 'own'), shelf.put(archive, 'next')];
    const [own, next] = (await verify({ archives, deep: true, home: install.home })).verdicts;
    expect(own && said(own)).toMatchObject({ verdict: 'refused', codes: ['REPLAY_UNSAFE'], entries: [] });
    expect(own?.problems[0]?.message).toContain('index public.own_f');
    expect(next?.verdict).toBe('good');
    expect(await outside()).toBe(before);
  });

  test('a damaged archive: the replay is broken off', async () => {
    const before = await outside();
    const bytes = Buffer.from(archive);
    const at = bytes.length - 200;
    bytes[at] = (bytes[at] as number) ^ 1;
    expect((await shelf.verdict(bytes, { deep: true, home: install.home })).verdict).toBe('damaged');
    expect(await outside()).toBe(before);
  });

  test('while a restore of that home clears up: what is worked on is left alone, in this process or another', async () => {
    const before = await outside();
    const path = shelf.put(dumpOf('SELECT pg_sleep(6);'), 'slow');
    const verifying = startLeoflow(['lite', 'verify', '--deep', '--home', install.home, path]);
    const here = shelf.verdict(path, { deep: true, home: install.home });
    await until(
      async () =>
        (await install.cluster.psql(
          "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^leoflow_staged'",
          'postgres',
        )) === '2',
      'two replays',
    );
    await restore({
      ...{ home: install.home, input: install.archive, workspace: install.workspace, workers: 1 },
      ...{ force: true, discardPrevious: true },
    });
    expect(await here).toMatchObject({ verdict: 'good' });
    expect(await verifying.ended).toMatchObject({ status: 0 });
    expect(await outside()).toBe(before);
  });

  test('several archives in a row', async () => {
    const archives = [shelf.put(archive, 'a'), shelf.put(dumpOf('SELECT 1/0;'), 'b'), shelf.put(archive, 'c')];
    const { verdicts } = await verify({ archives, deep: true, home: install.home });
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['good', 'damaged', 'good']);
  });
});

describe('elsewhere', () => {
  test('on a server that is named', async () => {
    const { home, dsn } = install.another();
    const verdict = await shelf.verdict(archive, { deep: true, home, dsn });
    expect(verdict.replayed).toMatchObject({ tables: 3, rows: 2004 });
  });

  test('a role that may create no database is no place for it', async () => {
    await install.cluster.psql('CREATE ROLE weak LOGIN; GRANT SELECT ON schema_migrations TO weak');
    const dsn = install.cluster.url.replace('leoflow@', 'weak@');
    const refused = shelf.verdict(archive, { deep: true, home: install.another().home, dsn });
    await expect(refused).rejects.toMatchObject({ code: 'REPLAY_UNSAFE', kind: 'refused' });
  });

  test('on a server made for it, which is gone afterwards', async () => {
    const place = freshPlace();
    try {
      const before = readdirSync(tmpdir()).filter((name) => name.startsWith('.verify.'));
      const verdict = await shelf.verdict(archive, { deep: true, home: place.home });
      expect(verdict).toMatchObject({ verdict: 'good', replayed: { tables: 3, rows: 2004 } });
      expect(verdict.replayed?.server).toContain('made for it');
      expect(place.names().base).toEqual([]);
      expect(readdirSync(tmpdir()).filter((name) => name.startsWith('.verify.'))).toEqual(before);
      expect(processesOf('.verify.leoflow-')).toEqual([]);
    } finally {
      await place.remove();
    }
  });

  test('killed while it replays: the server made for it goes down by itself, and its directory goes, too', async () => {
    const place = freshPlace();
    try {
      const slow = shelf.put(dumpOf('SELECT pg_sleep(600);'), 'slow.tar.gz');
      const { child, reached, ended } = startLeoflow(['lite', 'verify', '--deep', '--home', place.home, slow], {
        env: { TMPDIR: tmpdir() },
      });
      const homes = () =>
        readdirSync(tmpdir()).filter((name) => name.includes('.verify.') && name.includes(`-${child.pid}-`));
      // The last line is there once it takes connections.
      const server = () => /^(\d+)\n[\s\S]*ready/.exec(postmasterPid(join(tmpdir(), homes()[0] ?? 'none')))?.[1];
      await reached(() => server() !== undefined, 'its server ran');
      const pid = Number(server());
      child.kill('SIGKILL');
      await ended;
      await until(() => homes().length === 0, 'its directory to go');
      expect(isAlive(pid)).toBe(false);
      await until(() => processesOf(`-${child.pid}-`).length === 0, 'nothing of it to run any more');
    } finally {
      await place.remove();
    }
  });

  test('interrupted while it replays: nothing is left', async () => {
    const before = await outside();
    const stop = new AbortController();
    const slow = dumpOf('SELECT pg_sleep(60);');
    const verified = shelf.verdict(slow, { deep: true, home: install.home, signal: stop.signal });
    verified.catch(() => {});
    const isReplaying = async () =>
      (await install.cluster.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'",
        'postgres',
      )) === '1';
    while (!(await isReplaying())) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    await expect(verified).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(await outside()).toBe(before);
  });
});

function postmasterPid(home: string): string {
  try {
    return readFileSync(join(home, 'pgdata/postmaster.pid'), 'utf8');
  } catch {
    return '';
  }
}

/** Whether a process is there that does something: one that has ended may wait for somebody to ask for its status. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
