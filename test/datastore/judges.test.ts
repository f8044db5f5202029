import { describe, expect, test } from 'vitest';
import { parseDumpHeader, requirePsqlWithRestrict, requireServerFor } from '../../src/engine/datastore/index.js';
import { knowsRestrict } from '../../src/engine/datastore/replay/restrict.js';
import { postgresBin } from '../support/postgres.js';
import { claiming, failure, programs, temporaryHome } from './fixtures.js';

const HEAD = '--\n-- PostgreSQL database dump\n--\n\n';

describe('the header of a dump', () => {
  test('tells the releases, with and without the lock', () => {
    const lines = '-- Dumped from database version 17.2 (Debian 17.2-1)\n-- Dumped by pg_dump version 18beta1\n';
    const expected = { serverVersion: '17.2 (Debian 17.2-1)', serverMajor: 17, pgDumpVersion: '18beta1' };
    expect(parseDumpHeader(Buffer.from(HEAD + lines))).toEqual(expected);
    expect(parseDumpHeader(Buffer.from(`${HEAD}\\restrict xyz\n\n${lines}`))).toEqual(expected);
  });

  test.each([
    ['', 'is empty'],
    ['PGDMP\x01\x0e', 'does not begin as a plain dump'],
    ['DROP TABLE x;\n', 'does not begin as a plain dump'],
  ])('of something else is refused: %j', (text, message) => {
    expect(() => parseDumpHeader(Buffer.from(text))).toThrow(message);
  });

  test('decides whether a server can take it', () => {
    const header = parseDumpHeader(Buffer.from(`${HEAD}-- Dumped from database version 17.2\n`));
    requireServerFor(header, { num: 170000, version: '17.0' });
    requireServerFor(header, { num: 18, version: '18' });
    for (const num of [150018, 15]) {
      expect(() => requireServerFor(header, { num, version: '15.18' })).toThrow(
        'the dump in the archive comes from PostgreSQL 17.2, and the server here is PostgreSQL 15.18, which is older',
      );
    }
  });
});

describe('a psql that cannot be locked', () => {
  test.each([
    [13, 21, false],
    [13, 22, true],
    [14, 18, false],
    [14, 19, true],
    [15, 13, false],
    [15, 14, true],
    [16, 9, false],
    [16, 10, true],
    [17, 5, false],
    [17, 6, true],
    [18, 0, true],
    [12, 99, false],
  ])('%i.%i: %s', (major, minor, knows) => {
    expect(knowsRestrict({ major, minor })).toBe(knows);
  });

  test('is refused where it is the only one', async () => {
    const { home, remove } = await temporaryHome();
    const pgBin = await programs(home, { psql: claiming('psql', '16.9 (Debian 16.9-1)') });
    const error = await failure(requirePsqlWithRestrict({ home, pgBin }));
    expect(error.code).toBe('TOOL_TOO_OLD');
    expect(error.message).toBe(
      `psql 16.9 (${pgBin}/psql) cannot be locked against commands in a dump: it does not know \\restrict`,
    );
    expect(error.hint).toContain('update the PostgreSQL client to 16.10 or newer');
    await remove();
  });

  test('is passed over for one that can', async () => {
    const { home, remove } = await temporaryHome();
    const path = process.env.PATH;
    process.env.PATH = `${await programs(home, { psql: claiming('psql', '16.9') })}:${path}:${postgresBin()}`;
    try {
      expect((await requirePsqlWithRestrict({ home })).version).not.toBe('16.9');
    } finally {
      process.env.PATH = path;
      await remove();
    }
  });
});
