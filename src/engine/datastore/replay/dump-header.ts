/**
 * What a dump says of its origin in its first lines, and whether a server can take it.
 *
 * A dump of a newer major release may use what an older server does not know; that is found out before anything is written, not in the middle.
 */
import { SnapshotError } from '../../errors.js';
import { majorOf } from '../open.js';

/** The first lines of a plain dump. */
export interface DumpHeader {
  /** `15.18 (Debian 15.18-0+deb12u1)`; undefined where the dump does not say. */
  serverVersion: string | undefined;
  /** 15. */
  serverMajor: number | undefined;
  /** `17.2`, as `serverVersion`. */
  pgDumpVersion: string | undefined;
}

/** Bytes from the start of a dump that hold its header for sure. */
export const HEADER_SIZE = 4096;

/**
 * Reads the header from the first {@link HEADER_SIZE} bytes of a dump (or all of a shorter one).
 *
 * @throws `DUMP_INVALID` when it is no plain dump of pg_dump: empty, or something else
 */
export function parseDumpHeader(start: Uint8Array): DumpHeader {
  const text = Buffer.from(start.subarray(0, HEADER_SIZE)).toString('latin1');
  if (!/^--\r?\n-- PostgreSQL database dump\r?\n/.test(text)) {
    const what = text === '' ? 'is empty' : 'does not begin as a plain dump of pg_dump does';
    throw new SnapshotError('DUMP_INVALID', `the dump in the archive ${what}`, {
      hint: 'the archive is damaged, or was made from a dump that failed; use another one',
    });
  }
  const serverVersion = /^-- Dumped from database version (.+?)\r?$/m.exec(text)?.[1];
  const pgDumpVersion = /^-- Dumped by pg_dump version (.+?)\r?$/m.exec(text)?.[1];
  const major = /^\d+/.exec(serverVersion ?? '')?.[0];
  return { serverVersion, serverMajor: major === undefined ? undefined : Number(major), pgDumpVersion };
}

/**
 * Checks that a server of that version can take the dump.
 *
 * @param server version number (150018) or major release (15) and the version as text
 * @throws `SERVER_TOO_OLD`
 */
export function requireServerFor(header: DumpHeader, server: { num: number; version: string }): void {
  const major = server.num >= 10_000 ? majorOf(server.num) : server.num;
  if (header.serverMajor === undefined || header.serverMajor <= major) return;
  throw new SnapshotError(
    'SERVER_TOO_OLD',
    `the dump in the archive comes from PostgreSQL ${header.serverVersion}, and the server here is PostgreSQL ${server.version}, which is older`,
    { hint: `restore into PostgreSQL ${header.serverMajor} or newer` },
  );
}
