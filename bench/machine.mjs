/**
 * What the numbers were measured on, and with which versions.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** How each program says its version. */
const VERSIONS = /** @type {const} */ ([
  ['tar', ['--version']],
  ['gzip', ['--version']],
  ['pigz', ['--version']],
  ['bgzip', ['--version']],
  ['restic', ['version']],
]);

/** @typedef {ReturnType<typeof machineFacts>} Machine */

/** @param {string} directory whose file system is written to */
export function machineFacts(directory) {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    fileSystem: firstLine('stat', ['-f', '-c', '%T', directory]),
    /** Processes that wanted to run, over the last minute: well above 0, something else was measured, too. */
    load: Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]),
    versions: /** @type {Record<string, string>} */ ({
      'leoflow-snapshot': packageVersion(new URL('../package.json', import.meta.url)),
      commit: firstLine('git', ['-C', new URL('..', import.meta.url).pathname, 'describe', '--always', '--dirty']),
      'Node.js': process.version,
      zlib: process.versions.zlib,
      ...Object.fromEntries(
        VERSIONS.map(([program, args]) => [program, firstLine(program, [...args]).replace(/^.*?(\d\S*).*$/, '$1')]),
      ),
      'npm tar': packageVersion(new URL('../node_modules/tar/package.json', import.meta.url)),
      'npm archiver': packageVersion(new URL('../node_modules/archiver/package.json', import.meta.url)),
    }),
  };
}

/** @param {string} program @param {string[]} args */
function firstLine(program, args) {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return (status === 0 && stdout.split('\n')[0]?.trim()) || 'unknown';
}

/** @param {URL} file */
function packageVersion(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).version;
  } catch {
    return 'unknown';
  }
}
