/**
 * Connection strings as libpq reads them, with the password taken out.
 *
 * psql and pg_dump take a connection string on their command line, where `ps` shows it to everybody. So it is taken apart here by libpq's own
 * grammar (both forms), and put together again without the secrets. WHATWG `URL` does not serve: it rejects several hosts and empty ones.
 */
import { SnapshotError } from '../errors.js';

/** A connection string taken apart. */
export interface Dsn {
  /** libpq keywords and their values, in the order given; never a password. */
  parameters: ReadonlyMap<string, string>;
  /** The password, decoded; undefined where the string names none. */
  password: string | undefined;
}

/** Keywords of libpq 18 that hold no secret. Anything else might be a misspelt `password`, so it never reaches a command line. */
const KEYWORDS = new Set(
  `host hostaddr port dbname user passfile require_auth channel_binding connect_timeout client_encoding options application_name
   fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode
   requiressl sslnegotiation sslcompression sslcert sslkey sslkeylogfile sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer
   ssl_min_protocol_version ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation service
   servicefile target_session_attrs load_balance_hosts oauth_issuer oauth_client_id oauth_scope`.split(/\s+/),
);

/** Secrets that libpq takes from a connection string or a service file only: there is no way to hand them over unseen. */
const UNPASSABLE = new Set(['sslpassword', 'oauth_client_secret', 'scram_client_key', 'scram_server_key']);

const EXPECTED = 'write it as postgres://user@host:5432/database or as "host=… dbname=… user=…"';

function invalid(what: string, hint = EXPECTED): SnapshotError {
  return new SnapshotError('DSN_INVALID', `the database address is not valid: ${what}`, { hint });
}

/**
 * Takes a libpq URI or keyword/value string apart. No message it throws repeats any value of the string.
 *
 * @throws `DSN_INVALID`
 */
export function parseDsn(dsn: string): Dsn {
  const text = dsn.trim();
  if (text.includes('\0')) throw invalid('it holds a NUL');
  const uri = /^postgres(?:ql)?:\/\//.exec(text);
  if (uri === null && !/^[A-Za-z_]+\s*=/.test(text)) {
    throw invalid('it is neither a postgres:// URI nor a list of keyword=value');
  }
  const pairs = uri === null ? keywordPairs(text) : uriPairs(text.slice(uri[0].length));

  const parameters = new Map<string, string>();
  let password: string | undefined;
  for (const [keyword, value] of pairs) {
    if (keyword === 'password') password = value;
    else if (UNPASSABLE.has(keyword)) {
      throw invalid(`${keyword} would be visible to everybody on the command line of pg_dump`, SERVICE_FILE);
    } else if (!KEYWORDS.has(keyword)) throw invalid(`libpq knows no parameter ${JSON.stringify(keyword)}`);
    else parameters.set(keyword, value);
  }
  const database = parameters.get('dbname') ?? '';
  if (database.includes('=') || /^postgres(?:ql)?:\/\//.test(database)) {
    throw invalid('the name of the database is itself a connection string');
  }
  return { parameters, password };
}

const SERVICE_FILE = 'put it into a section of ~/.pg_service.conf and give "service=<that section>" as the address';

/** Puts parameters together as a keyword/value string that libpq reads back as the same values. */
export function toConninfo(parameters: Iterable<readonly [string, string]>): string {
  return [...parameters].map(([key, value]) => `${key}='${value.replaceAll(/[\\']/g, '\\$&')}'`).join(' ');
}

/** `host=… password='it''s'`: libpq's conninfo_parse. Backslash quotes the next character, inside and outside of quotes. */
function keywordPairs(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  const token = /\s*([^\s=']+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)/sy;
  let at = 0;
  while (at < text.length) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) {
      throw invalid(
        `it cannot be read from its ${pairs.length + 1}. parameter on (a value with blanks or quotes is written '…')`,
      );
    }
    const value = match[2] ?? match[3] ?? '';
    pairs.push([match[1] ?? '', value.replaceAll(/\\(.)/gs, '$1')]);
    at = token.lastIndex;
    while (/\s/.test(text[at] ?? '')) at++;
  }
  return pairs;
}

const ENCODE = 'write @ : / ? and % inside a user, password or database name as %40 %3A %2F %3F %25';

/** What follows `postgres://`: libpq's conninfo_uri_parse, which ends the user at the first `@` that no `/` precedes. */
function uriPairs(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  const credentials = /^([^@/:]*)(?::([^@/]*))?@/.exec(text);
  if (credentials !== null) {
    if (credentials[1]) pairs.push(['user', decode(credentials[1])]);
    if (credentials[2]) pairs.push(['password', decode(credentials[2])]);
  }
  const rest = text.slice(credentials?.[0].length ?? 0);
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  if (authority.includes('@') || path.includes('@')) throw invalid('it has an @ where none can be', ENCODE);

  pairs.push(...hostPairs(authority));
  if (path !== '') pairs.push(['dbname', decode(path)]);
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [keyword = '', value, ...more] = parameter.split('=');
    if (value === undefined || more.length > 0) throw invalid('what follows the ? is not a list of name=value', ENCODE);
    // JDBC's spelling, which libpq takes too
    if (keyword === 'ssl' && value === 'true') pairs.push(['sslmode', 'require']);
    else pairs.push([decode(keyword), decode(value)]);
  }
  return pairs;
}

/** `a:5432,[::1],b:6000`: one list of hosts and one of ports, an empty port meaning the default. */
function hostPairs(authority: string): [string, string][] {
  if (authority === '') return [];
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const part of authority.split(',')) {
    const match = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(part);
    if (match === null)
      throw invalid('its host or port cannot be read (a port is a number, an IPv6 address stands in brackets)', ENCODE);
    hosts.push(decode(match[1] ?? match[2] ?? ''));
    ports.push(match[3] ?? '');
  }
  const pairs: [string, string][] = [];
  if (hosts.some((host) => host !== '')) pairs.push(['host', hosts.join(',')]);
  if (ports.some((port) => port !== '')) pairs.push(['port', ports.join(',')]);
  return pairs;
}

function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // falls through: a % that is no escape
  }
  throw invalid('it has a % that begins no percent-encoded character', ENCODE);
}
