/**
 * A home as `leoflow setup` makes one, with made-up secrets.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes a home: everything but the cluster, whose directory `pgdata` is there and empty.
 *
 * @param {object} options
 * @param {string} options.home `…/.leoflow`
 * @param {string} options.workspace absolute
 * @param {string} options.bin directory of PostgreSQL's programs
 */
export function makeHome({ home, workspace, bin }) {
  for (const [directory, mode] of /** @type {const} */ ([
    [home, 0o700],
    [join(home, 'pgdata'), 0o700],
    [join(home, 'dev'), 0o755],
    [join(home, 'postgres'), 0o755],
  ])) {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, mode);
  }
  symlinkSync(bin, join(home, 'postgres', 'bin'));

  const parser = `env PYTHONPATH=${join(home, 'pysrc/parser')} /usr/bin/python3 -m leoflow_parser`;
  const config = `# Written by \`leoflow setup\` (Leoflow Lite). This one is a sample.
parser_cmd: "${parser}"
workspace: "${workspace}"
lite_executor: "subprocess"        # or "k8s"
lite_port: 8088
admin_email: "admin@leoflow.local"
admin_password_hash: "$2a$10$${'MadeUpForTheSample'.padEnd(53, 'x')}"
jwt_secret: "${'5a'.repeat(32)}"
`;
  const setup = {
    python: '/usr/bin/python3',
    workspace,
    tier: 'lite',
    os: process.platform,
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    executor: 'subprocess',
    port: 8088,
    admin_email: 'admin@leoflow.local',
    parser_cmd: parser,
    updated_at: '2026-05-28T14:30:45Z',
  };
  writeFileSync(join(home, 'config.yaml'), config, { mode: 0o600 });
  writeFileSync(join(home, 'setup.json'), `${JSON.stringify(setup, null, 2)}\n`, { mode: 0o644 });
}
