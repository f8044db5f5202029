/**
 * PAX records (POSIX.1-2001): `<length> <key>=<value>\n`, where the length counts itself. One that lies about it is refused.
 */
import { isUtf8 } from 'node:buffer';
import { quoted } from './entry-place.js';
import { damaged } from './tar-reader.js';

/** The records that matter to a restore; all others are skipped. */
export interface PaxRecords {
  path?: string;
  linkpath?: string;
  /** Bytes. */
  size?: number;
  /** Whole seconds since 1970, towards the past. */
  mtime?: number;
}

/** @throws ARCHIVE_DAMAGED */
export function parsePax(content: Buffer): PaxRecords {
  const records: PaxRecords = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const digits = space === -1 ? '' : content.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]{0,6}$/.test(digits) || end > content.length || end <= space + 1 || content[end - 1] !== 0x0a) {
      throw damaged('a PAX record lies about its length');
    }
    const record = content.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals <= 0) throw damaged('a PAX record has no key');
    apply(records, record.toString('latin1', 0, equals), record.subarray(equals + 1));
    at = end;
  }
  return records;
}

function apply(records: PaxRecords, key: string, value: Buffer): void {
  if (key === 'path' || key === 'linkpath') {
    // It means that the record does not count, but not to everybody.
    if (value.length === 0) throw damaged(`a PAX ${key} is empty`);
    if (value.includes(0)) throw damaged(`a PAX ${key} has a NUL in it`);
    if (!isUtf8(value)) throw damaged(`a PAX ${key} is not UTF-8: ${quoted(value.toString('latin1'))}`);
    records[key] = value.toString();
  } else if (key === 'size') {
    const text = value.toString('latin1');
    const size = Number(text);
    if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(size))
      throw damaged(`a PAX size is impossible: ${quoted(text)}`);
    records.size = size;
  } else if (key === 'mtime') {
    const text = value.toString('latin1');
    const seconds = Math.floor(Number(text));
    if (!/^-?[0-9]+(\.[0-9]*)?$/.test(text) || !Number.isSafeInteger(seconds))
      throw damaged(`a PAX mtime is impossible: ${quoted(text)}`);
    records.mtime = seconds;
  } else if (key.startsWith('GNU.sparse.')) {
    throw damaged('it holds a sparse file in a form of GNU tar that is not supported: repack it without --sparse');
  }
}
