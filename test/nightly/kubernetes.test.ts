/** The nightly kit in a cluster: the manifests have the shape that Kubernetes expects, and the container's command does what it says, against a real server. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Machine, Machines } from '../support/machine.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { ARCHIVE, EndlessDump, filesIn, kitFile, place, programsOf, startInEnvironment } from './support.js';

interface Container {
  image: string;
  command: string[];
  env: { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }[];
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  securityContext: { readOnlyRootFilesystem: boolean };
}
interface Pod {
  restartPolicy: string;
  hostname: string;
  terminationGracePeriodSeconds: number;
  containers: Container[];
  volumes: {
    name: string;
    configMap?: { name: string };
    emptyDir?: object;
    persistentVolumeClaim?: { claimName: string };
  }[];
}
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec?: { schedule: string; concurrencyPolicy: string; jobTemplate: { spec: { template: { spec: Pod } } } };
}

const manifests = parseAllDocuments(kitFile('kubernetes-cronjob.yaml')).map((document) => {
  expect(document.errors).toEqual([]);
  return document.toJS() as Manifest;
});
const named = (kind: string, name: string) =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
const cronJob = named('CronJob', 'leoflow-backup');
const pod = cronJob?.spec?.jobTemplate.spec.template.spec as Pod;
const container = pod.containers[0] as Container;

describe('the manifests', () => {
  test('are of these kinds', () => {
    expect(manifests.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name])).toEqual([
      ['v1', 'ConfigMap', 'leoflow-backup'],
      ['v1', 'Secret', 'leoflow-backup'],
      ['v1', 'PersistentVolumeClaim', 'leoflow-backups'],
      ['batch/v1', 'CronJob', 'leoflow-backup'],
    ]);
  });

  test('hold together: every volume and every secret that is named is there', () => {
    expect(pod.containers).toHaveLength(1);
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(pod.volumes.map(({ name }) => name).sort());
    for (const { configMap, persistentVolumeClaim, emptyDir } of pod.volumes) {
      if (configMap !== undefined) expect(named('ConfigMap', configMap.name)?.data).toHaveProperty(['config.yaml']);
      else if (persistentVolumeClaim !== undefined) {
        expect(named('PersistentVolumeClaim', persistentVolumeClaim.claimName)).toBeDefined();
      } else expect(emptyDir).toEqual({});
    }
    for (const { valueFrom } of container.env) {
      const { name, key } = valueFrom.secretKeyRef;
      expect(named('Secret', name)?.stringData).toHaveProperty([key]);
    }
  });

  test('leave a place for temporary files where the root may not be written to', () => {
    expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    const writable = container.volumeMounts.filter(({ readOnly }) => readOnly !== true);
    expect(writable.map(({ mountPath }) => mountPath)).toEqual(['/leoflow/backups', '/tmp']);
  });

  test('leave a backup that is stopped the time for its end', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
  });

  test('have one name for the machine, whatever the pod is called: prune tells installs apart by it', () => {
    expect(pod.hostname).toBe('leoflow-backup');
  });

  test('keep the address off every command line, run one at a time, and not again', () => {
    expect(cronJob?.spec).toMatchObject({ schedule: '17 3 * * *', concurrencyPolicy: 'Forbid' });
    expect(cronJob?.spec?.jobTemplate.spec).toMatchObject({ backoffLimit: 0 });
    expect(pod.restartPolicy).toBe('Never');
    expect(container.command.join('\n')).not.toMatch(/postgres:|--dsn|--ping-url/);
  });
});

describe('the command of the container', () => {
  let machines: Machines;
  let machine: Machine;
  let server: Cluster;
  let root: string;

  beforeAll(async () => {
    machines = new Machines();
    machine = machines.make('pod');
    server = await startCluster({ port: 0, password: 'p@ss word' });
    await server.psql(`
      CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
      INSERT INTO schema_migrations VALUES (15, false);
      CREATE TABLE run AS SELECT n FROM generate_series(1, 1000) n;`);
    root = join(machine.user, 'root');
  });
  afterAll(async () => {
    await server?.stop();
    await machine?.sh('chmod -R u+w root');
    await machines?.remove();
  });

  /** The volumes of the pod, below a directory of ours. */
  beforeEach(async () => {
    await machine.sh('chmod -R u+w root; rm -rf root');
    for (const { name, mountPath, readOnly } of container.volumeMounts) {
      const volume = pod.volumes.find((candidate) => candidate.name === name);
      const mounted = join(root, mountPath);
      await machine.sh(`mkdir -p '${mounted}'`);
      for (const [file, text] of Object.entries(named('ConfigMap', volume?.configMap?.name ?? '')?.data ?? {})) {
        // As Kubernetes mounts it: the file is a link into a directory that is exchanged.
        await place(machine, join(mounted, '..data', file), text.replaceAll('/leoflow/', `${root}/leoflow/`));
        await machine.sh(`ln -s '..data/${file}' '${mounted}/${file}'`);
      }
      if (readOnly) await machine.sh(`chmod -R a-w '${mounted}'`);
    }
  });

  /** Starts it with the environment of the container, and that alone: no HOME either. */
  async function start(secrets: Record<string, string>, under: readonly string[] = [], path = '') {
    const values = { ...named('Secret', 'leoflow-backup')?.stringData, ...secrets };
    const env = container.env.map(({ name, valueFrom }) => [name, values[valueFrom.secretKeyRef.key] ?? '']);
    const [shell = '', ...words] = container.command;
    const command = [
      ...under,
      shell,
      ...words.map((word) => word.replaceAll(/(?<=[ "])\/leoflow\//g, `${root}/leoflow/`)),
    ];
    return startInEnvironment(machine, command, {
      PATH: `${path}${await programsOf(machine)}:/usr/bin:/bin`,
      HOSTNAME: 'leoflow-backup-1',
      ...(Object.fromEntries(env) as Record<string, string>),
    });
  }
  const run = async (secrets: Record<string, string>) => (await start(secrets)).ended;
  const backups = () => filesIn(machine, join(root, 'leoflow/backups'));

  test('backs up the server that the secret names, verifies and prunes', async () => {
    const { status, stdout, stderr } = await run({ 'database-url': server.tcpUrl });
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringContaining('warning') });
    expect(stdout + stderr).not.toMatch(/p(@|%40)ss/);
    const [name = '', ...others] = await backups();
    expect({ name, others }).toEqual({ name: expect.stringMatching(ARCHIVE), others: [] });
    expect(stdout).toContain(`127.0.0.1:${server.port}/leoflow_dev, dump of`);

    // The way back that the manifest's comment names: into an empty database, which has no Leoflow home but a new one.
    await server.psql('CREATE DATABASE again', 'postgres');
    const archive = join(root, 'leoflow/backups', name);
    const dsn = server.tcpUrl.replace('/leoflow_dev', '/again');
    const restored = await machine.sh(
      `leoflow lite restore --input "$A" --only datastore --home "$PWD/root/new" --force --quiet`,
      { env: { A: archive, LEOFLOW_DATABASE_URL: dsn } },
    );
    expect(restored).toMatchObject({ status: 0, stderr: '' });
    expect(await server.psql('SELECT count(*), sum(n) FROM run', 'again')).toBe('1000|500500');
  });

  test('fails where the server does not answer, with no archive and a status', async () => {
    const { status, stdout, stderr } = await run({ 'database-url': 'postgres://leoflow:hush@127.0.0.1:1/leoflow' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/\nerror: the database at 127\.0\.0\.1:1 cannot be used: .*\nhint: /);
    expect(stderr).not.toContain('hush');
    expect(await backups()).toEqual([]);
  });

  test('is told to stop, as process 1 where this machine can do that: the backup ends in order', async () => {
    const dump = await new EndlessDump(machine).make();
    const namespace = ['unshare', '--user', '--map-current-user', '--pid', '--fork', '--kill-child'];
    const isFirst = (await machine.sh([...namespace, 'true'].join(' '))).status === 0;
    const pod = await start({ 'database-url': server.tcpUrl }, isFirst ? namespace : [], `${dump.path}:`);
    const shell = () =>
      Number(isFirst ? execFileSync('ps', ['-o', 'pid=', '--ppid', String(pod.child.pid)]) : pod.child.pid);
    const { status } = await dump.stop(pod, 'SIGTERM', join(root, 'leoflow/backups'), shell);
    expect(status).toBe(143);
  });
});
