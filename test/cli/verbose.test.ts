/** `--verbose`: every command that has phases says in the end how long each took. */
import { expect, test } from 'vitest';
import { PlainReporter } from '../../src/cli/reporters/plain.js';
import { backupView } from '../../src/cli/views/backup.js';
import { diffView } from '../../src/cli/views/diff.js';
import { liteView } from '../../src/cli/views/lite.js';
import { restoreView } from '../../src/cli/views/restore.js';
import { uninstallView } from '../../src/cli/views/uninstall.js';
import { verifyView } from '../../src/cli/views/verify.js';
import type { View } from '../../src/cli/views/view.js';
import type { DiffResult, LiteResult, UninstallResult, VerifyResult } from '../../src/index.js';
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
  ['lite', told(liteView, SERVED, true), told(liteView, SERVED, false)],
  ['uninstall', told(uninstallView, UNINSTALLED, true), told(uninstallView, UNINSTALLED, false)],
])('%s', (name, verbose, plain) => {
  const times = /\b[a-z]+ \d+\.\d s(, [a-z ]+ \d+\.\d s)+$/m;
  expect(verbose, `${name} --verbose`).toMatch(times);
  expect(plain, name).not.toMatch(times);
});
