/**
 * The two live lines, fitted to the width of the terminal: what does not fit is left out, least important first.
 */
import { formatBytes, formatCount, formatDuration, formatNumber, formatRate, formatTimeLeft } from '../format.js';
import type { Colours } from '../streams.js';
import type { Reading } from './meter.js';

/** What the live lines show. */
export interface Status {
  /** What is going on. */
  label: string;
  reading: Reading;
  /** Milliseconds since the beginning; shown until the time left is known. */
  elapsed: number;
  warnings: number;
}

interface Field {
  text: string;
  /** The field with the lowest rank goes first where room is short. */
  rank: number;
}

const BAR_MOST = 30;
const BAR_LEAST = 10;
const GAP = '  ';

/** The live lines of this moment; none is longer than `width` columns. */
export function statusLines(status: Status, width: number, colours: Colours): string[] {
  const second = squeeze(progressFields(status.reading, status.warnings), ', ', width);
  return [headLine(status, width, colours), ...(second === '' ? [] : [colours.dim(second)])];
}

/** The same in one plain line, for where nothing can be repainted. */
export function progressLine(reading: Reading): string {
  return squeeze(progressFields(reading, 0), ', ', Number.POSITIVE_INFINITY);
}

function headLine({ label, reading, elapsed }: Status, width: number, colours: Colours): string {
  const { share, left } = reading;
  const underWay = share !== undefined && share < 1;
  const time = underWay && left !== undefined ? `${formatTimeLeft(left)} left` : formatDuration(elapsed);
  const fields: Field[] = [{ text: label, rank: 3 }];
  if (underWay) fields.push({ text: `${Math.floor(share * 100)}%`.padStart(3), rank: 2 });
  fields.push({ text: time, rank: 1 });

  const line = squeeze(fields, GAP, Math.max(width, label.length)).slice(0, width);
  const cells = Math.min(BAR_MOST, width - line.length - GAP.length - '[]'.length);
  if (!underWay || cells < BAR_LEAST) return line;
  return `${label}${GAP}${bar(share, cells, colours)}${line.slice(label.length)}`;
}

function bar(share: number, cells: number, colours: Colours): string {
  const full = Math.floor(share * cells);
  return `[${colours.cyan('#'.repeat(full))}${colours.dim('-'.repeat(cells - full))}]`;
}

function progressFields(reading: Reading, warnings: number): Field[] {
  const { total, files, bytes, dumpBytes, archive, rate } = reading;
  const fields: Field[] = [];
  // A tree that grows meanwhile outgrows what was counted: then there is no whole to name.
  const whole = total !== undefined && total.files >= files && total.bytes >= bytes ? total : undefined;
  if (files > 0 || bytes > 0) {
    fields.push({ text: whole ? `${formatBytes(bytes)} of ${formatBytes(whole.bytes)}` : formatBytes(bytes), rank: 6 });
  }
  if (rate !== undefined && rate > 0) fields.push({ text: formatRate(rate), rank: 5 });
  if (files > 0) {
    const all = whole ? `${formatNumber(files)} of ${formatCount(whole.files, 'file')}` : formatCount(files, 'file');
    fields.push({ text: all, rank: 4 });
  }
  if (dumpBytes > 0) fields.push({ text: `dump ${formatBytes(dumpBytes)}`, rank: 2 });
  if (archive.bytes > 0) {
    const all = archive.size === undefined ? '' : ` of ${formatBytes(archive.size)}`;
    fields.push({ text: `${formatBytes(archive.bytes)}${all} ${archive.verb}`, rank: 1 });
  }
  if (warnings > 0) fields.push({ text: formatCount(warnings, 'warning'), rank: 3 });
  return fields;
}

function squeeze(fields: readonly Field[], separator: string, width: number): string {
  let kept = [...fields];
  for (;;) {
    const line = kept.map((field) => field.text).join(separator);
    if (line.length <= width) return line;
    const lowest = Math.min(...kept.map((field) => field.rank));
    kept = kept.filter((field) => field.rank !== lowest);
  }
}
