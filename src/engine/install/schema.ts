/**
 * The newest schema a restore may load. Loading rows into a database that the installed Leoflow cannot read would corrupt them, so
 * the answer comes from that Leoflow where one is installed: a Go binary embeds its migrations, and their file names
 * (`migrations/026_xcom.up.sql`) can be read in it.
 */
import { createReadStream } from 'node:fs';
import { SnapshotError } from '../errors.js';
import { leoflowBinary, type SearchOptions } from './leoflow-binary.js';

/** The newest public schema version when this program was released. */
export const KNOWN_SCHEMA = 26;

/** The newest schema that may be restored, and who says so. */
export interface SupportedSchema {
  version: number;
  /** Completes "according to …" in a message. */
  source: string;
}

const SUFFIX = Buffer.from('.up.sql');
/** The longest name looked for, with room for its directory's slash. */
const NAME_BYTES = 256;

/**
 * The newest schema version that may be restored: `LEOFLOW_SUPPORTED_SCHEMA` where set, else the highest migration embedded in the
 * installed Leoflow binary, else {@link KNOWN_SCHEMA}.
 *
 * @throws SnapshotError `USAGE` when `LEOFLOW_SUPPORTED_SCHEMA` is not a positive integer
 */
export async function supportedSchema(options: SearchOptions = {}): Promise<SupportedSchema> {
  const env = options.env ?? process.env;
  const wanted = env.LEOFLOW_SUPPORTED_SCHEMA;
  if (wanted) return { version: positiveInteger(wanted), source: 'LEOFLOW_SUPPORTED_SCHEMA' };
  const binary = await leoflowBinary({ env });
  if (binary === null)
    return { version: KNOWN_SCHEMA, source: 'leoflow-snapshot itself, as no Leoflow binary is on PATH' };
  const version = await highestMigration(binary);
  if (version === null)
    return { version: KNOWN_SCHEMA, source: `leoflow-snapshot itself, as ${binary} names no migrations` };
  return { version, source: `the migrations in ${binary}` };
}

function positiveInteger(text: string): number {
  const value = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new SnapshotError('USAGE', `LEOFLOW_SUPPORTED_SCHEMA is not a positive integer: ${JSON.stringify(text)}`, {
    hint: 'set it to the newest schema version that your Leoflow reads, or unset it',
  });
}

/**
 * The highest `NNN` of the `NNN_name.up.sql` in a file, read in constant memory.
 *
 * A binary's strings stand end to end, so digits of a neighbour can look like part of a bare name. A name after a `/` is exact;
 * bare ones count only where there is no such name, and only with three digits: a number too low refuses a restore, one too high
 * corrupts a database.
 *
 * @returns null where there is none, or the file cannot be read
 */
export async function highestMigration(path: string): Promise<number | null> {
  let exact = 0;
  let bare = 0;
  let carry: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      const window = Buffer.concat([carry, chunk]);
      for (let at = window.indexOf(SUFFIX); at >= 0; at = window.indexOf(SUFFIX, at + SUFFIX.length)) {
        const before = window.toString('latin1', Math.max(0, at - NAME_BYTES), at);
        exact = Math.max(exact, Number(/\/(\d{3,6})_[a-z0-9_]+$/.exec(before)?.[1] ?? 0));
        bare = Math.max(bare, Number(/(?<!\d)(\d{3})_[a-z0-9_]+$/.exec(before)?.[1] ?? 0));
      }
      // A name may be cut by the end of the chunk. One that lies wholly in the overlap is only seen twice.
      carry = window.subarray(Math.max(0, window.length - NAME_BYTES - SUFFIX.length));
    }
  } catch {
    return null;
  }
  return exact || bare || null;
}
