/**
 * How numbers and names read: one system of units, and no character that could steer a terminal.
 *
 * Units are decimal (1 MB = 10^6 bytes), as disks, networks and the measurements of this project count them.
 */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;
const THOUSANDS = new Intl.NumberFormat('en-US');

/** A size in bytes, to three digits: `999 B`, `1.93 GB`, `61.2 MB`, `812 kB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 rounds to 1000, which is 1.00 of the next unit.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A rate in bytes per second: `61.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** A duration in milliseconds: `0.8 s`, `42 s`, `3 min 05 s`, `1 h 02 min`. */
export function formatDuration(ms: number): string {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** A time to come, in milliseconds: as a duration, but never with tenths that nobody can foresee. */
export function formatTimeLeft(ms: number): string {
  return ms < 9950 ? `${Math.max(1, Math.round(ms / 1000))} s` : formatDuration(ms);
}

/** A whole number with its thousands apart: `50,120`. */
export function formatNumber(value: number): string {
  return THOUSANDS.format(value);
}

/** A number of things: `1 file`, `50,120 files`, `2 directories`. */
export function formatCount(value: number, one: string, many = `${one}s`): string {
  return `${formatNumber(value)} ${value === 1 ? one : many}`;
}

/** How many directories: `1 directory`, `2 directories`. */
export function formatDirectories(value: number): string {
  return formatCount(value, 'directory', 'directories');
}

/**
 * Control characters, line separators, half surrogates, and the marks that turn the direction of writing around: any of them in a
 * file name could forge what stands on the screen.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A name on one line: characters that do not print are shown as `\n`, `\t`, `\r`, `\xNN` or `\u{NNNN}`. */
export function printable(name: string): string {
  return name.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16).padStart(2, '0');
    return ESCAPES[character] ?? (code < 0x100 ? `\\x${hex}` : `\\u{${hex}}`);
  });
}

/** Text that may have several lines, such as what pg_dump said: as {@link printable}, with its line breaks kept. */
export function printableLines(text: string): string {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => printable(line))
    .join('\n');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
