/**
 * What belongs to a database itself, not to its content: encoding, locale, settings, who may connect.
 *
 * A dump says none of it. The staged database takes it from the one whose place it will take, so that after the swap everybody who could connect still
 * can, and nobody else.
 */
import { type Admin, administer } from '../cluster/admin.js';
import { identifier, literal } from '../psql.js';

/** A row of pg_database, as far as it matters here; columns come and go between releases. */
interface DatabaseRow {
  encoding: string;
  tablespace: string;
  datcollate: string;
  datctype: string;
  /** `c`, `i` or `b`; from 15 on. */
  datlocprovider?: string;
  /** 15 and 16; `datlocale` from 17 on. */
  daticulocale?: string | null;
  datlocale?: string | null;
  daticurules?: string | null;
}

/** The options of CREATE DATABASE that make a database like the one named. */
export async function databaseOptions(admin: Admin, like: string): Promise<string> {
  const json = await administer(
    admin,
    `SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(d.encoding), 'tablespace', t.spcname)
     FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = ${literal(like)};`,
  );
  const row = JSON.parse(json) as DatabaseRow;
  const options = [
    ['ENCODING', row.encoding],
    ['LC_COLLATE', row.datcollate],
    ['LC_CTYPE', row.datctype],
  ];
  const locale = row.datlocale ?? row.daticulocale;
  if (row.datlocprovider === 'i' && locale) options.push(['LOCALE_PROVIDER', 'icu'], ['ICU_LOCALE', locale]);
  if (row.datlocprovider === 'i' && row.daticurules) options.push(['ICU_RULES', row.daticurules]);
  if (row.datlocprovider === 'b' && locale) options.push(['LOCALE_PROVIDER', 'builtin'], ['BUILTIN_LOCALE', locale]);
  const clauses = options.map(([name, value]) => `${name} ${literal(value ?? '')}`);
  // To name even the default one takes a privilege on it.
  if (row.tablespace !== 'pg_default') clauses.push(`TABLESPACE ${identifier(row.tablespace)}`);
  return clauses.join(' ');
}

/** Settings whose value is a list of quoted names: pg_db_role_setting holds it as it is written after SET. */
const QUOTED_LISTS = ['search_path', 'session_preload_libraries', 'local_preload_libraries', 'temp_tablespaces'];

/** Gives one database the owner, connection limit, settings and privileges of another. */
export async function carryOver(admin: Admin, from: string, to: string): Promise<void> {
  // The statements are written by the server, which knows how to quote; psql's \gexec would do, but takes no error apart.
  const lists = QUOTED_LISTS.map(literal).join(', ');
  const statements = await administer(
    admin,
    `WITH live AS (SELECT * FROM pg_database WHERE datname = ${literal(from)}), target(name) AS (VALUES (${literal(to)}))
     SELECT statement FROM (
       SELECT 1, format('ALTER DATABASE %I CONNECTION LIMIT %s;', name, datconnlimit) FROM live, target WHERE datconnlimit <> -1
       UNION ALL
       SELECT 1, format('ALTER %s DATABASE %I SET %I TO %s;',
           CASE WHEN s.setrole = 0 THEN '' ELSE format('ROLE %I IN', (SELECT rolname FROM pg_roles WHERE oid = s.setrole)) END,
           target.name, split_part(c, '=', 1),
           CASE WHEN split_part(c, '=', 1) IN (${lists}) THEN substr(c, strpos(c, '=') + 1)
             ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
       FROM target, live JOIN pg_db_role_setting s ON s.setdatabase = live.oid, unnest(s.setconfig) AS c
       UNION ALL
       SELECT 2, format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', name) FROM live, target WHERE datacl IS NOT NULL
       UNION ALL
       SELECT 3, format('GRANT %s ON DATABASE %I TO %s%s;', a.privilege_type, target.name,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident((SELECT rolname FROM pg_roles WHERE oid = a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
       FROM target, live, aclexplode(live.datacl) AS a WHERE a.grantee <> live.datdba
       UNION ALL
       SELECT 4, format('ALTER DATABASE %I OWNER TO %I;', target.name, r.rolname)
       FROM target, live JOIN pg_roles r ON r.oid = live.datdba WHERE r.rolname <> current_user
     ) AS steps(step, statement) ORDER BY step;`,
  );
  if (statements !== '') await administer(admin, `BEGIN;\n${statements}\nCOMMIT;`);
}
