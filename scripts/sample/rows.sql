-- Every table: its rows, and a digest of what they hold.
WITH digests AS (
              SELECT 'dags' AS name, md5(t::text) AS digest FROM dags t
    UNION ALL SELECT 'dag_runs', md5(t::text) FROM dag_runs t
    UNION ALL SELECT 'task_instances', md5(t::text) FROM task_instances t
    UNION ALL SELECT 'xcom', md5(t::text) FROM xcom t
    UNION ALL SELECT 'variables', md5(t::text) FROM variables t
    UNION ALL SELECT 'connections', md5(t::text) FROM connections t
    UNION ALL SELECT 'schema_migrations', md5(t::text) FROM schema_migrations t
)
SELECT name, count(*) AS rows, md5(string_agg(digest, '' ORDER BY digest)) AS digest FROM digests GROUP BY name ORDER BY name;
