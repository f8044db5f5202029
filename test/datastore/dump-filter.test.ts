import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filterDump } from '../../src/engine/datastore/replay/dump-filter.js';
import { failure } from './fixtures.js';

const TRAILER = '-- PostgreSQL database dump complete\n';

async function filtered(sql: string, cuts: readonly number[] = [], serverVersionNum = 150018): Promise<string> {
  const bytes = Buffer.from(sql + TRAILER);
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  async function* pieces() {
    for (let index = 1; index < at.length; index++) yield bytes.subarray(at[index - 1], at[index]);
  }
  const out: Buffer[] = [];
  for await (const piece of filterDump(pieces(), { serverVersionNum })) out.push(Buffer.from(piece));
  const text = Buffer.concat(out).toString();
  expect(text.endsWith(TRAILER)).toBe(true);
  return text.slice(0, -TRAILER.length);
}

const EVERYTHING = [
  '--\n-- PostgreSQL database dump\n--\n',
  '\\restrict abcDEF123\n',
  'SET transaction_timeout = 0;\n',
  "COMMENT ON EXTENSION plpgsql IS 'it''s PL/pgSQL';\n",
  'CREATE TABLE public.t (\n    a text DEFAULT \';\n\\restrict in-literal\n\'::text,\n    "b\n\\restrict in-identifier\n" text\n);\n',
  'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$\nBEGIN;\n\\restrict in-dollar\nCOMMIT;\n$_$;\n',
  'CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE sql\n    BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\nEND;\n',
  "/* comment\n/* nested */\n\\restrict in-comment\n*/\nSELECT E'\\\\\\'\n\\restrict in-escapes\n';\n",
  'COPY public.t (a, b) FROM stdin;\n\\restrict in-data\nBEGIN;\n\\.x\nx\\.\n\\\\.\n\\N\t\\N\n\\.\n',
  'COPY public.empty (a) FROM stdin;\n\\.\n',
  'BEGIN;\nSELECT pg_catalog.lo_open(1, 131072);\nCOMMIT;\n',
  '\\unrestrict abcDEF123\n',
].join('');

const EXPECTED = EVERYTHING.replace('\\restrict abcDEF123', '')
  .replace('\\unrestrict abcDEF123', '')
  .replace('SET transaction_timeout = 0;', '')
  .replace(/COMMENT ON.*/, '')
  .replace('BEGIN;\nSELECT pg_catalog', '\nSELECT pg_catalog')
  .replace('COMMIT;\n\\n', '\n\n')
  .replace('131072);\nCOMMIT;', '131072);\n');

describe('what reaches psql', () => {
  test('is everything but the lock of pg_dump and what only repeats what is so', async () => {
    expect(await filtered(EVERYTHING)).toBe(EXPECTED);
  });

  test('does not depend on where the stream is cut', async () => {
    const size = Buffer.byteLength(EVERYTHING + TRAILER);
    for (let cut = 1; cut < size; cut++) expect(await filtered(EVERYTHING, [cut])).toBe(EXPECTED);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: size - 1 }), { maxLength: 60 }), async (cuts) => {
        expect(await filtered(EVERYTHING, cuts)).toBe(EXPECTED);
      }),
      { numRuns: 300 },
    );
  });

  test('is the timeout of newer releases where the server knows it', async () => {
    expect(await filtered('SET transaction_timeout = 0;\n', [], 170000)).toBe('SET transaction_timeout = 0;\n');
    expect(await filtered('SET transaction_timeout = 0;\n', [], 160009)).toBe('\n');
  });

  test('is the same with the line breaks of Windows', async () => {
    const text = 'COPY t (a) FROM stdin;\r\nBEGIN;\r\n\\.\r\n\\unrestrict x\r\n';
    expect(await filtered(text)).toBe(text.replace('\\unrestrict x\r', ''));
  });
});

describe('a dump that would leave its transaction is refused', () => {
  test.each([
    'COMMIT; DROP TABLE x;',
    'commit ;',
    'SELECT 1; ROLLBACK;',
    'SELECT 1 \\; COMMIT;',
    '/* x */ END;',
    "PREPARE TRANSACTION 'x';",
    'START TRANSACTION;',
    'SAVEPOINT x;',
    'SELECT $a$ $a$; ABORT;',
    "SELECT 'a\\'; COMMIT; --';",
    "SELECT E'a' -- x\n  'b\\'c'; COMMIT;",
  ])('%s', async (sql) => {
    const error = await failure(filtered(`${sql}\n`));
    expect(error.code).toBe('REPLAY_FAILED');
    expect(error.message).toContain('begins or ends a transaction');
  });

  test.each([
    'PREPARE x AS SELECT 1;',
    'CREATE TABLE commit (x int);',
    "SELECT E'a\\'; COMMIT; --';",
    'SELECT public.begin;',
  ])('but not %s', async (sql) => {
    expect(await filtered(`${sql}\n`)).toBe(`${sql}\n`);
  });
});

describe('a command that could unlock psql is refused', () => {
  const refused = 'the dump holds the command \\unrestrict of psql';

  test.each([
    '\\unrestrict `id`',
    "SELECT '\\unrestrict';",
    'SELECT 1 \\unrestrict',
    '$$\n\\unrestrict x\n$$;',
    'COPY t FROM stdin;\n\\unrestrict\n\\.',
    'COPY t FROM stdin;\nx\\unrestrict\n\\.',
    '\\unrestrict x y',
  ])('wherever it stands, and wherever the stream is cut: %j', async (sql) => {
    for (let cut = 1; cut < sql.length; cut++) {
      for (const other of [cut, Math.min(cut + 3, sql.length)]) {
        expect((await failure(filtered(`${sql}\n`, [cut, other]))).message).toContain(refused);
      }
    }
  });

  test('but not where its backslash is doubled, as in data', async () => {
    const sql = 'COPY t FROM stdin;\n\\\\unrestrict `x`\n\\\\\\\\unrestrict\n\\.\n';
    for (let cut = 1; cut < sql.length; cut++) expect(await filtered(sql, [cut])).toBe(sql);
  });

  test('nor may a NUL hide it', async () => {
    expect((await failure(filtered('\\unr\0\nestrict `id`\n'))).message).toContain('a NUL character');
  });
});

describe('a dump that is cut off is refused', () => {
  test.each([
    ['nothing', ''],
    ['no trailer', 'SELECT 1;\n'],
    ['within COPY data', `COPY t (a) FROM stdin;\n1\n${TRAILER}`],
    ['within a literal', `SELECT '\n${TRAILER}`],
    ['within a statement', `${TRAILER}SELECT 1\n`],
  ])('%s', async (_, sql) => {
    async function* dump() {
      if (sql !== '') yield Buffer.from(sql);
    }
    const all = (async () => {
      for await (const _piece of filterDump(dump(), { serverVersionNum: 150000 }));
    })();
    const error = await failure(all);
    expect(error.code).toBe('REPLAY_FAILED');
    expect(error.message).toContain('cut off');
  });
});
