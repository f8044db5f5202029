/** The nightly kit in CI: the steps of the workflow and the script of the job, taken out of their files and run as the runners run them. */
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { lastJson } from '../support/cli.js';
import { type Machine, Machines } from '../support/machine.js';
import { runnerOutputs } from '../support/runner.js';
import {
  ARCHIVE,
  EndlessDump,
  expectGoodNight,
  filesIn,
  inEnvironment,
  kitFile,
  machineWithInstall,
  place,
  programsOf,
  startInEnvironment,
} from './support.js';

let machines: Machines;
let machine: Machine;
let backups: string;
/** What a runner's own account has. */
let env: Record<string, string>;
beforeAll(async () => {
  machines = new Machines();
  machine = await machineWithInstall(machines, 'm');
  backups = join(machine.user, 'backups');
  env = {
    HOME: machine.user,
    PATH: `${await programsOf(machine)}:/usr/bin:/bin`,
    LEOFLOW_BACKUPS: backups,
    CI: 'true',
  };
});
afterAll(() => machines?.remove());
beforeEach(async () => {
  await machine.sh('rm -rf backups work && mkdir backups work');
});

describe('github-actions.yml', () => {
  interface Step {
    name: string;
    id?: string;
    if?: string;
    env?: Record<string, string>;
    run: string;
  }
  interface Workflow {
    on: { schedule: { cron: string }[]; workflow_dispatch: null };
    permissions: object;
    jobs: { backup: { 'runs-on': string[]; env: Record<string, string>; steps: Step[] } };
  }
  let workflow: Workflow;
  beforeAll(() => {
    workflow = parse(kitFile('github-actions.yml')) as Workflow;
  });

  /** What the runner puts in place of an expression; of those that are not there, nothing. */
  function filled(text: string, known: Readonly<Record<string, string>>): string {
    return text.replace(/\$\{\{ (.*?) \}\}/g, (_whole, expression: string) => {
      const [name = '', otherwise] = expression.split(' || ');
      return known[name] ?? otherwise?.replace(/^'(.*)'$/, '$1') ?? '';
    });
  }

  /** Whether a step is run: one with no condition, where none before it has failed. */
  function isDue(step: Step, known: Readonly<Record<string, string>>, hasFailed: boolean): boolean {
    if (step.if === undefined) return !hasFailed;
    const condition = step.if
      .replace(/^\$\{\{ (.*) \}\}$/, '$1')
      .replace(/steps\.[\w.]+/g, (name) => JSON.stringify(known[name] ?? ''))
      .replace('cancelled()', 'false');
    return Boolean(runInNewContext(condition));
  }

  /** Runs the steps that are due. @returns how each ended, the outputs of steps with an id, and the summary */
  async function run() {
    const { env: jobEnv, steps } = workflow.jobs.backup;
    const known: Record<string, string> = { 'vars.LEOFLOW_BACKUPS': backups };
    const ended: { name: string; status: number | null; said: string }[] = [];
    let summary = '';
    let hasFailed = false;
    for (const [index, step] of steps.entries()) {
      if (!isDue(step, known, hasFailed)) continue;
      const file = (name: string) => join(machine.user, 'work', `${index}-${name}`);
      await place(machine, file('step.sh'), filled(step.run, known));
      for (const name of ['summary', 'output']) await place(machine, file(name), '');
      const settings = Object.entries({ ...jobEnv, ...step.env }).map(([name, value]) => [name, filled(value, known)]);
      // The shell of a step that names none: bash -e {0}
      const { status, stdout, stderr } = await inEnvironment(machine, ['bash', '-e', file('step.sh')], {
        ...env,
        ...Object.fromEntries(settings),
        GITHUB_ACTIONS: 'true',
        GITHUB_STEP_SUMMARY: file('summary'),
        GITHUB_OUTPUT: file('output'),
      });
      ended.push({ name: step.name, status, said: stdout + stderr });
      const cat = async (name: string) => (await machine.sh('cat "$F"', { env: { F: file(name) } })).stdout;
      summary += await cat('summary');
      for (const [name, value] of Object.entries(runnerOutputs(await cat('output')))) {
        if (step.id !== undefined) known[`steps.${step.id}.outputs.${name}`] = value;
      }
      if (step.id !== undefined) known[`steps.${step.id}.outcome`] = status === 0 ? 'success' : 'failure';
      hasFailed ||= status !== 0;
    }
    return { ended, known, summary };
  }

  test('has the shape of a workflow, and no part of a script comes from an expression', () => {
    expect(workflow.on).toEqual({ schedule: [{ cron: '17 3 * * *' }], workflow_dispatch: null });
    expect(workflow.permissions).toEqual({});
    for (const { name, run } of workflow.jobs.backup.steps)
      expect({ name, run }).toEqual({ name, run: expect.not.stringContaining('${{') });
  });

  test('backs up, verifies, prunes; the summary and the outputs are there', async () => {
    const { ended, known, summary } = await run();
    expect(ended.map(({ name, status }) => [name, status])).toEqual(
      workflow.jobs.backup.steps.map(({ name }) => [name, 0]),
    );
    const [name = ''] = await filesIn(machine, backups);
    expect(name).toMatch(ARCHIVE);
    const archive = join(backups, name);
    const size = (await machine.sh('stat -c %s "$A"', { env: { A: archive } })).stdout.trim();
    expect(known).toMatchObject({
      'steps.backup.outputs.archive': archive,
      'steps.backup.outputs.size': size,
      'steps.backup.outputs.incomplete': 'false',
    });
    expect(summary).toContain(`### Backup written\n\n| | |\n| --- | --- |\n| archive | ${archive} |\n| size | `);
    expect(ended.at(-1)?.said).toBe(`${archive} has ${size} bytes\n`);
    await expectGoodNight(machine, archive);
  });

  test('stops in order when it is cancelled, of which only the process of the step hears', async () => {
    const dump = await new EndlessDump(machine).make();
    const step = join(machine.user, 'work/step.sh');
    await place(machine, step, workflow.jobs.backup.steps[0]?.run ?? '');
    const backup = startInEnvironment(machine, ['bash', '-e', step], { ...env, LEOFLOW_PG_BIN: dump.path });
    expect(await dump.stop(backup, 'SIGINT', backups)).toMatchObject({ status: 130, stdout: '' });
    expect(await machine.serverPid()).toBeUndefined();
  });

  test('fails with a backup that is not complete, and verifies and prunes all the same', async () => {
    expect((await run()).ended.at(-1)).toMatchObject({ status: 0 });
    const [whole = ''] = await filesIn(machine, backups);
    await machine.sh(`sleep 1; touch "leoflow/$(printf 'caf\\351')"`);
    const { ended, known } = await run();
    await machine.sh('rm leoflow/caf*');
    expect(ended.map(({ name, status }) => [name, status])).toEqual([
      ['Back up', 3],
      ['Verify', 0],
      ['Prune', 0],
    ]);
    expect(known).toMatchObject({ 'steps.backup.outputs.incomplete': 'true' });
    expect(await filesIn(machine, backups)).toEqual([whole, expect.stringMatching(ARCHIVE)]);
  });

  test('fails with the backup, and the summary says why', async () => {
    await machine.sh('mv .leoflow away');
    const failed = await run();
    await machine.sh('mv away .leoflow');
    expect(failed.ended.map(({ status }) => status)).toEqual([1]);
    expect(failed.summary).toMatch(
      /^\n### Backup failed\n\n\*\*HOME\\_NOT\\_FOUND\*\*: .*\n\nHint: .*\n\nExit status 1\.\n\n$/,
    );
    expect(await filesIn(machine, backups)).toEqual([]);
  });
});

describe('gitlab-ci.yml', () => {
  interface Job {
    rules: { if: string }[];
    variables: Record<string, string>;
    script: string[];
    artifacts: { when: string; paths: string[] };
  }
  let job: Job;
  beforeAll(() => {
    job = (parse(kitFile('gitlab-ci.yml')) as { 'leoflow-backup': Job })['leoflow-backup'];
  });

  /** A shell runner hands all lines to one bash. */
  const run = () => {
    const script = ['set -eo pipefail', 'cd work', ...job.script].join('\n');
    return inEnvironment(machine, ['bash', '-c', script], {
      ...job.variables,
      ...env,
      GITLAB_CI: 'true',
      CI_PIPELINE_SOURCE: 'schedule',
    });
  };
  const report = async () => (await machine.sh('cat work/backup.jsonl')).stdout;

  test('has the shape of a job', () => {
    expect(job.rules).toEqual([{ if: '$CI_PIPELINE_SOURCE == "schedule"' }]);
    expect(job.script.every((line) => typeof line === 'string')).toBe(true);
    expect(job.artifacts).toMatchObject({ when: 'always', paths: ['backup.jsonl'] });
  });

  test('backs up, verifies, prunes; the lines are there for the artifacts', async () => {
    const { status, stdout } = await run();
    expect(status).toBe(0);
    const [name = ''] = await filesIn(machine, backups);
    expect(name).toMatch(ARCHIVE);
    expect(lastJson(await report())).toMatchObject({ type: 'result', path: join(backups, name), status: 0 });
    expect(lastJson(stdout.split('\n')[0] ?? '')).toMatchObject({ type: 'result' });
    await expectGoodNight(machine, join(backups, name));
  });

  test('fails with a backup that is not complete, and verifies and prunes all the same', async () => {
    expect(await run()).toMatchObject({ status: 0 });
    const [whole = ''] = await filesIn(machine, backups);
    await machine.sh(`sleep 1; touch "leoflow/$(printf 'caf\\351')"`);
    const { status, stdout } = await run();
    await machine.sh('rm leoflow/caf*');
    expect(status).toBe(3);
    expect(stdout).toMatch(/^Pruned: .*2 archives .* kept, 0 archives .* removed$/m);
    expect(await filesIn(machine, backups)).toEqual([whole, expect.stringMatching(ARCHIVE)]);
  });

  test('fails with the status of the backup, and shows the error', async () => {
    await machine.sh('mv .leoflow away');
    const { status, stdout } = await run();
    await machine.sh('mv away .leoflow');
    expect(status).toBe(1);
    expect(lastJson(stdout)).toMatchObject({ type: 'error', error: { code: 'HOME_NOT_FOUND' }, status: 1 });
    expect(lastJson(await report())).toEqual(lastJson(stdout));
    expect(await filesIn(machine, backups)).toEqual([]);
  });
});
