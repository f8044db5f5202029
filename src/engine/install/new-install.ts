/**
 * The two files that `leoflow setup` writes, in the layout in which Leoflow itself writes them.
 */
import { join } from 'node:path';

/** What a new install says of itself. */
export interface NewInstall {
  /** The Leoflow home, absolute, as it is named. */
  home: string;
  /** Absolute. */
  workspace: string;
  adminEmail: string;
  /** bcrypt. */
  passwordHash: string;
  /** 32 bytes in hex. */
  jwtSecret: string;
  /** A Python interpreter: a path, or a name for `PATH`. */
  python: string;
  /** UTC to the second. */
  updatedAt: string;
}

const EXECUTOR = 'subprocess';
const PORT = 8088;

/** The text of `config.yaml`. JSON's strings are YAML's in double quotes. */
export function newConfig(install: NewInstall): string {
  return `# Written by \`leoflow setup\` (Leoflow Lite).
parser_cmd: ${JSON.stringify(parserCommand(install))}
workspace: ${JSON.stringify(install.workspace)}
lite_executor: "${EXECUTOR}"        # or "k8s"
lite_port: ${PORT}
admin_email: ${JSON.stringify(install.adminEmail)}
admin_password_hash: "${install.passwordHash}"    # bcrypt
jwt_secret: "${install.jwtSecret}"    # 32 random bytes, hex
`;
}

/** The text of `setup.json`. */
export function newSetup(install: NewInstall): string {
  const setup = {
    python: install.python,
    workspace: install.workspace,
    tier: 'lite',
    os: process.platform,
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    executor: EXECUTOR,
    port: PORT,
    admin_email: install.adminEmail,
    parser_cmd: parserCommand(install),
    updated_at: install.updatedAt,
  };
  return `${JSON.stringify(setup, null, 2)}\n`;
}

/** How Leoflow runs its parser, from the sources that it unpacks into the home. */
function parserCommand({ home, python }: Pick<NewInstall, 'home' | 'python'>): string {
  return `env PYTHONPATH=${word(join(home, 'pysrc', 'parser'))} ${word(python)} -m leoflow_parser`;
}

/** Whether a command is what `leoflow setup` writes for this home, with whatever Python. */
export function isParserCommand(command: string, home: string): boolean {
  const [, quoted, bare] = / (?:'([^']+)'|(\S+)) -m leoflow_parser$/.exec(command) ?? [];
  const python = quoted ?? bare ?? '';
  return /(?:^|\/)python[\d.]*$/.test(python) && command === parserCommand({ home, python });
}

/** A word of a command line. */
function word(text: string): string {
  if (/^[\w./@%+=:,-]+$/.test(text)) return text;
  return text.includes("'") ? `"${text.replaceAll(/["\\$`]/g, '\\$&')}"` : `'${text}'`;
}
