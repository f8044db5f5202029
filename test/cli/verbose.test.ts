/** `--verbose`: every command that has phases says in the end how long each took. */
import { expect, test } from 'vitest';
import { PlainReporter } from '../../src/cli/reporters/plain.js';
import { backupView } from '../../src/cli/views/backup.js';
import { diffView } from '../../src/cli/views/diff.js';
import { extractView } from '../../src/cli/views/extract.js';
import { inspectView } from '../../src/cli/views/inspect.js';
import { liteView } from '../../src/cli/views/lite.js';
import { pruneView } from '../../src/cli/views/prune.js';
import { restoreView } from '../../src/cli/views/restore.js';
import { uninstallView } from '../../src/cli/views/uninstall.js';
import { verifyView } from '../../src/cli/views/verify.js';
import type { View } from '../../src/cli/views/view.js';
import type {
  DiffResult,
  ExtractResult,
  InspectResult,
  LiteResult,
  PruneResult,
  UninstallResult,
  VerifyResult,
} from '../../src/index.js';
import { Recorder, restored, result } from './support.js';

const { manifest } = result();
const VERIFIED: VerifyResult = { good: true, verdicts: [], durationMs: 8200, workers: 2 };
const COMPARED: DiffResult = {
  from: '/a',
  to: '/b',
  live: false,
  manifests: { from: manifest, to: manifest },
  differs: false,
  config: null,
  workspace: null,
  datastore: null,
  uncompared: 0,
  durationMs: 8200,
  workers: 2,
};
const INSPECTED: InspectResult = {
  archive: '/a',
  size: 1000,
  source: 'index',
  bytesRead: 100,
  members: 3,
  manifest,
  parts: [],
  workspace: { files: 1, directories: 1, links: 0, bytes: 1 },
  largest: { directories: [], files: [] },
  leftOut: [],
  incomplete: 0,
  outlook: {
    restorable: 'yes',
    obstacles: [],
    home: '/home/alice/.leoflow',
    workspace: '/home/alice/leoflow',
    schema: { archive: 15, supported: null },
    postgres: { dump: '16.13', server: null, state: 'absent' },
  },
  durationMs: 8200,
};
const EXTRACTED: ExtractResult = {
  dryRun: false,
  archive: '/a',
  manifest,
  to: '/home/alice/leoflow',
  files: 1,
  directories: 0,
  links: 0,
  bytes: 1,
  made: ['/home/alice/leoflow/a'],
  madeCount: 1,
  replaced: [],
  checksums: true,
  bytesRead: 100,
  size: 1000,
  durationMs: 8200,
  workers: 2,
};
const PRUNED: PruneResult = {
  directory: '/backups',
  dryRun: false,
  archives: [],
  untouched: [],
  kept: { archives: 0, bytes: 0 },
  removed: { archives: 0, bytes: 0 },
  sources: [],
  failed: 0,
  durationMs: 8200,
};
const SERVED: LiteResult = {
  home: '/home/alice/.leoflow',
  workspace: '/home/alice/leoflow',
  socket: '/home/alice/.leoflow/pgdata/.s.PGSQL.5432',
  url: 'postgres://leoflow@/leoflow_dev',
  log: '/home/alice/.leoflow/dev/postgres.log',
  serverVersion: '16.13',
  was: 'stopped',
  durationMs: 8200,
};
const UNINSTALLED: UninstallResult = {
  dryRun: false,
  home: '/home/alice/.leoflow',
  purge: true,
  stopped: true,
  removed: [{ what: 'install', path: '/home/alice/.leoflow', files: 1, bytes: 1 }],
  kept: [],
  durationMs: 8200,
};

/** A command with all its phases, each of them as many seconds long as its number. @returns its summary */
function told<P extends string, R>(view: View<P, R>, result: R, verbose: boolean): string {
  const summary = new Recorder();
  let now = 0;
  const style = { messages: new Recorder(), summary, verbose, phases: true, progress: false, env: {}, now: () => now };
  const reporter = new PlainReporter(view, style);
  Object.keys(view.phases).forEach((phase, index) => {
    reporter.event({ type: 'phase', phase: phase as P });
    now += (index + 1) * 1000;
  });
  reporter.done(result);
  return summary.text;
}

test.each([
  ['backup', told(backupView, result(), true), told(backupView, result(), false)],
  [
    'restore',
    told(restoreView({ dryRun: false }), restored(), true),
    told(restoreView({ dryRun: false }), restored(), false),
  ],
  ['verify', told(verifyView, VERIFIED, true), told(verifyView, VERIFIED, false)],
  ['diff', told(diffView, COMPARED, true), told(diffView, COMPARED, false)],
  [
    'inspect',
    told(inspectView({ bars: false }), INSPECTED, true),
    told(inspectView({ bars: false }), INSPECTED, false),
  ],
  [
    'extract',
    told(extractView({ dryRun: false }), EXTRACTED, true),
    told(extractView({ dryRun: false }), EXTRACTED, false),
  ],
  ['prune', told(pruneView, PRUNED, true), told(pruneView, PRUNED, false)],
  ['lite', told(liteView, SERVED, true), told(liteView, SERVED, false)],
  ['uninstall', told(uninstallView, UNINSTALLED, true), told(uninstallView, UNINSTALLED, false)],
])('%s', (name, verbose, plain) => {
  const times = /\b[a-z]+ \d+\.\d s(, [a-z ]+ \d+\.\d s)+$/m;
  expect(verbose, `${name} --verbose`).toMatch(times);
  expect(plain, name).not.toMatch(times);
});
