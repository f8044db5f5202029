/**
 * What one bench has measured, as it is kept in a file; several of them can be put into one document.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Changes when older files cannot be read any more. */
const VERSION = 1;

/**
 * @typedef {object} Report
 * @property {number} version
 * @property {string} command as it was typed
 * @property {boolean} quick too small to mean anything
 * @property {number} runs
 * @property {import('../machine.mjs').Machine} machine
 * @property {import('../match.mjs').Section[]} sections
 * @property {import('../scaling.mjs').Series[]} scaling
 */

/** @param {Omit<Report, 'version'>} report @returns {Report} */
export function reportOf(report) {
  return { version: VERSION, ...report };
}

/** @param {string} file @param {Report} report */
export function writeReport(file, report) {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** @param {string} file @returns {Report} */
export function readReport(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  if (report.version !== VERSION) throw new Error(`${file} is no report of this version of the bench`);
  return report;
}
