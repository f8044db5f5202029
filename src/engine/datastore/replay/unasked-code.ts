/**
 * Code in a replayed database that the server would run unasked.
 *
 * Autovacuum evaluates what indexes and statistics are defined by, and the difference of a range type, with the power of the table's owner. Who owns the
 * tables next may be a superuser. So nothing that the dump brought along may be called there; everything else runs only for whoever uses it.
 */
import { SnapshotError } from '../../errors.js';
import { type Admin, administer } from '../cluster/admin.js';
import { wordsOf } from '../psql.js';

/**
 * The first thing that calls code of the dump's. What the server and its extensions bring belongs to role 10, in every cluster, and no dump can give that
 * role anything.
 *
 * All that an expression calls stands in its tree by number; pg_depend is for DROP, and promises less (of a type that JSON_VALUE returns, say). Enums have
 * no checks, and a column's value has passed its own. A cast to JSON may be looked up where JSON is built: that stands in no tree, so casts are refused.
 */
const UNASKED = `
  WITH code AS (
    SELECT oid FROM pg_proc WHERE proowner <> 10
    UNION ALL SELECT oid FROM pg_operator WHERE oprowner <> 10
    UNION ALL SELECT t.oid FROM pg_type t LEFT JOIN pg_type element ON element.oid = t.typelem
      WHERE t.typowner <> 10 AND t.typtype <> 'e' AND element.typtype IS DISTINCT FROM 'e'),
  evaluated AS (
    SELECT 'pg_class'::regclass AS class, indexrelid AS oid, concat(indexprs, indpred) AS tree FROM pg_index
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, to_jsonb(s) ->> 'stxexprs' FROM pg_statistic_ext s)
  SELECT pg_describe_object(class, oid, 0) FROM evaluated
  WHERE EXISTS (SELECT FROM regexp_matches(tree, '(?<!:vartype) (\\d+)', 'g') AS number JOIN code ON code.oid::text = number[1])
  UNION ALL
  SELECT pg_describe_object('pg_type'::regclass, rngtypid, 0)
  FROM pg_range JOIN pg_proc p ON p.oid IN (rngcanonical, rngsubdiff) WHERE p.proowner <> 10
  UNION ALL
  SELECT pg_describe_object('pg_cast'::regclass, c.oid, 0) FROM pg_cast c JOIN pg_proc p ON p.oid = castfunc WHERE p.proowner <> 10
  LIMIT 1;`;

/**
 * Refuses a replayed database that holds such code, while everything in it still belongs to a role without power.
 *
 * @throws `REPLAY_UNSAFE`
 */
export async function requireNoUnaskedCode(admin: Admin, database: string): Promise<void> {
  const what = await administer(admin, UNASKED, { database });
  if (what === '') return;
  throw new SnapshotError(
    'REPLAY_UNSAFE',
    `the dump brings code that the server would run by itself, with the power of the install's role: ${wordsOf(what)}`,
    {
      hint: 'drop it where the archive comes from and back up again, or restore with --dsn into a database whose role may do nothing beyond that',
    },
  );
}
