/** More workers than the system allows for: that is told, and nothing is begun. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineWithInstall } from '../nightly/support.js';
import { type Machine, Machines } from '../support/machine.js';
import { serverAccount } from '../support/postgres.js';

let machines: Machines;
let machine: Machine;
beforeAll(async () => {
  machines = new Machines();
  machine = await machineWithInstall(machines, 'm');
  const made = await machine.sh('mkdir in && leoflow lite backup -q --start-datastore -o in/snap.tar.gz');
  expect(made).toMatchObject({ status: 0, stderr: '' });
});
afterAll(() => machines?.remove());

/** Threads of the user that commands run as. */
function threads(): number {
  const uid = serverAccount()?.uid ?? process.getuid?.();
  return readdirSync('/proc').reduce((sum, pid) => {
    try {
      const status = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/status`, 'latin1') : '';
      const own = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]) === uid;
      return own ? sum + Number(/^Threads:\t(\d+)/m.exec(status)?.[1]) : sum;
    } catch {
      return sum;
    }
  }, 0);
}

test.each([
  // The datastore is started for it, and stopped, for which there must be room again.
  'backup --start-datastore -o out/snap.tar.gz',
  'verify ~/in/snap.tar.gz',
  'diff ~/in/snap.tar.gz ~/in/snap.tar.gz',
  'extract ~/in/snap.tar.gz dags --to out/there',
  'restore -i ~/in/snap.tar.gz --home out/home --workspace out/flows',
])('%s', async (command) => {
  await machine.sh('rm -rf out && mkdir out');
  const limit = threads() + 50;
  const { status, stdout, stderr } = await machine.sh(
    `prlimit --nproc=${limit} leoflow lite ${command} --workers 1000 --no-progress`,
  );
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr.slice(stderr.indexOf('error: '))).toBe(
    'error: not all workers can be started: the system allows no more threads\n' +
      'hint: use fewer --workers, or raise the limit\n',
  );
  expect((await machine.sh('ls -A out; find . -name "*.partial"')).stdout).toBe('');
  expect(await machine.serverPid()).toBeUndefined();
});
