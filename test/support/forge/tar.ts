/**
 * Tar records as nobody honest writes them. Everything is put together byte by byte, without the code that writes archives: any field may say anything.
 */

/** A field of a header: text or bytes as they stand, a number as octal digits. */
type Field = string | Buffer | number;

export interface HeaderFields {
  name: string | Buffer;
  /** One character. Default: `0`, a file. */
  type?: string;
  mode?: Field;
  size?: Field;
  mtime?: Field;
  linkname?: string | Buffer;
  /** Default: `ustar\0` and `00`. */
  magic?: string;
  prefix?: string | Buffer;
  /** Added to the right checksum. */
  checksumError?: number;
}

/** The time of every forged entry. */
export const MTIME = 1_700_000_000;

/** A header record. */
export function header(fields: HeaderFields): Buffer {
  const record = Buffer.alloc(512);
  const put = (at: number, length: number, value: Field) => {
    const bytes =
      typeof value === 'number'
        ? Buffer.from(`${value.toString(8).padStart(length - 1, '0')}\0`)
        : Buffer.from(value as string);
    if (bytes.length > length) throw new Error(`${bytes.length} bytes do not fit into a field of ${length}`);
    bytes.copy(record, at);
  };
  put(0, 100, fields.name);
  put(100, 8, fields.mode ?? 0o644);
  put(108, 8, 0);
  put(116, 8, 0);
  put(124, 12, fields.size ?? 0);
  put(136, 12, fields.mtime ?? MTIME);
  put(156, 1, fields.type ?? '0');
  put(157, 100, fields.linkname ?? '');
  put(257, 8, fields.magic ?? 'ustar\x0000');
  put(345, 155, fields.prefix ?? '');
  record.fill(0x20, 148, 156);
  let sum = fields.checksumError ?? 0;
  for (let at = 0; at < record.length; at += 1) sum += record[at] as number;
  put(148, 8, `${sum.toString(8).padStart(6, '0')}\0 `);
  return record;
}

/** A header and its content, padded to whole records. */
export function records(fields: HeaderFields, content: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([header({ size: bytes.length, ...fields }), bytes, Buffer.alloc(-bytes.length & 511)]);
}

/** One PAX record, with the length that it really has. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length > length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A PAX header for the next entry, or with type `g` for all that follow. */
export function pax(values: Record<string, string | Buffer>, type: 'x' | 'g' = 'x'): Buffer {
  return rawPax(Buffer.concat(Object.entries(values).map(([key, value]) => paxRecord(key, value))), type);
}

/** A PAX header with this content, whatever it is. */
export function rawPax(content: string | Buffer, type: 'x' | 'g' = 'x'): Buffer {
  return records({ name: 'PaxHeader', type }, content);
}

/** GNU's records in front of an entry: `L` its long name, `K` its long link target. */
export function gnuLong(type: 'L' | 'K', value: string | Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(value as string), Buffer.alloc(1)]);
  return records({ name: '././@LongLink', type, magic: 'ustar  \0' }, content);
}

/** A number field in base 256, as GNU tar writes what does not fit octal digits. */
export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = length - 1, rest = value; at >= 0; at -= 1, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  // The first bit says that it is no text; that of a negative number is set anyway.
  bytes[0] = (bytes[0] as number) | 0x80;
  return bytes;
}

/** The end of a tar archive. */
export const END = Buffer.alloc(1024);
