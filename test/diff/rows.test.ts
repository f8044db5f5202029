/** Rows are counted as pg_dump writes them, and nothing that only looks like them. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RowCounter } from '../../src/engine/datastore/index.js';
import { type Cluster, postgresBin, startCluster } from '../support/postgres.js';

function count(dump: string | Buffer, step = Number.POSITIVE_INFINITY): Record<string, number> {
  const bytes = Buffer.from(dump as string);
  const counter = new RowCounter();
  for (let at = 0; at < bytes.length; at += step) counter.push(bytes.subarray(at, at + step));
  return Object.fromEntries(counter.tables);
}

describe('a real dump', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.psql(`
      CREATE TABLE empty (n int);
      CREATE TABLE plain (n int, t text); INSERT INTO plain SELECT n, repeat('x', n) FROM generate_series(1, 300) n;
      CREATE SCHEMA "odd schema"; CREATE TABLE "odd schema"."t.""x""" (t text);
      INSERT INTO "odd schema"."t.""x""" VALUES (E'\\\\.'), (E'a\\nb'), (E'\\n\\\\.\\n'), (''), (NULL), ('COPY plain (n) FROM stdin;'), ('x'');' || chr(10) || chr(9) || '(1)');
      CREATE TABLE "日本" (t text); INSERT INTO "日本" VALUES ('x');
      CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES;
      CREATE FUNCTION trap() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
COPY plain (n) FROM stdin;
INSERT INTO plain VALUES (1);
      END $f$;
      CREATE VIEW v AS SELECT * FROM plain; CREATE MATERIALIZED VIEW m AS SELECT * FROM plain;
      SELECT lo_from_bytea(0, 'large'::bytea);`);
  });
  afterAll(() => cluster?.stop());

  const EXPECTED = { 'public.plain': 300, '"odd schema"."t.""x"""': 7, 'public."日本"': 1, 'public.bare': 1 };
  const dump = (...options: string[]) =>
    execFileSync(`${postgresBin()}/pg_dump`, [...options, cluster.url], { maxBuffer: 1 << 26 });

  test('with COPY, cut anywhere', () => {
    const bytes = dump('--clean', '--if-exists');
    const { 'public.bare': bare, ...expected } = EXPECTED;
    expect(bare).toBe(1);
    for (const step of [1, 2, 3, 7, 64, 4096, bytes.length]) {
      const { 'public.bare': _, ...counted } = count(bytes, step);
      expect({ step, ...counted }).toEqual({ step, 'public.empty': 0, ...expected });
    }
  });

  test('with INSERT, a row or several in a statement', () => {
    for (const options of [['--inserts'], ['--column-inserts'], ['--inserts', '--rows-per-insert=7']]) {
      expect({ options, ...count(dump(...options)) }).toEqual({ options, ...EXPECTED });
    }
  });
});

test('rows of any length, and the line ends of another system', () => {
  const long = 'y'.repeat(20 << 20);
  expect(count(`COPY t (a) FROM stdin;\r\n${long}\r\nshort\r\n\\.\r\nSELECT 1;\r\n`, 1 << 20)).toEqual({ t: 2 });
});

test('a line of SQL of more than 16 MiB is no dump of ours', () => {
  expect(() => count(`SELECT '${'y'.repeat(17 << 20)}';\n`, 1 << 20)).toThrow(/longer than 16 MiB/);
});
