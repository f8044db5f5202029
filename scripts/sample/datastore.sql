-- Tables shaped like Leoflow's, with made-up rows. `scale` is the number of DAG runs per DAG.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO schema_migrations VALUES (26, false);

CREATE TYPE run_state AS ENUM ('queued', 'running', 'success', 'failed');

CREATE TABLE dags (
    dag_id text PRIMARY KEY,
    description text,
    schedule text,
    is_paused boolean NOT NULL DEFAULT false,
    tags text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL
);
INSERT INTO dags
SELECT format('dag_%s', d), format('Loads table %s — täglich', d), format('%s %s * * *', d % 60, d % 24), d % 7 = 0,
       ARRAY['team_' || d % 5, 'daily'], timestamptz '2026-05-01 00:00:00+00' + d * interval '1 hour'
FROM generate_series(1, 40) d;

CREATE TABLE dag_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL REFERENCES dags ON DELETE CASCADE,
    logical_date timestamptz NOT NULL,
    state run_state NOT NULL,
    conf jsonb,
    UNIQUE (dag_id, logical_date)
);
INSERT INTO dag_runs (dag_id, logical_date, state, conf)
SELECT dag_id, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 day',
       (enum_range(NULL::run_state))[1 + (n + length(dag_id)) % 4], jsonb_build_object('attempt', n % 3, 'region', 'eu')
FROM dags, generate_series(1, :scale) n
ORDER BY dag_id, n;

CREATE TABLE task_instances (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_run_id bigint NOT NULL REFERENCES dag_runs ON DELETE CASCADE,
    task_id text NOT NULL,
    state run_state,
    try_number integer NOT NULL DEFAULT 0,
    duration double precision,
    log text
);
INSERT INTO task_instances (dag_run_id, task_id, state, try_number, duration, log)
SELECT id, 'task_' || t, state, 1 + t % 2, (id * 37 + t) % 1000 / 7.0,
       format('task %s of run %s wrote %s rows', t, id, md5(id::text || t))
FROM dag_runs, generate_series(1, 6) t;
CREATE INDEX ON task_instances (dag_run_id);

CREATE TABLE xcom (
    task_instance_id bigint NOT NULL REFERENCES task_instances ON DELETE CASCADE,
    key text NOT NULL,
    value jsonb,
    PRIMARY KEY (task_instance_id, key)
);
INSERT INTO xcom
SELECT id, 'return_value', jsonb_build_object('rows', id * 13 % 4096, 'digest', md5(id::text), 'text', E'tab\t, quote '', line\nbreak')
FROM task_instances WHERE id % 2 = 0;

CREATE TABLE variables (key text PRIMARY KEY, value text, is_encrypted boolean NOT NULL DEFAULT false);
INSERT INTO variables SELECT 'variable_' || n, repeat(md5(n::text), n % 5), n % 10 = 0 FROM generate_series(1, 60) n;

CREATE TABLE connections (
    conn_id text PRIMARY KEY, conn_type text NOT NULL, host text, port integer, login text, password bytea, extra jsonb
);
INSERT INTO connections
SELECT 'connection_' || n, 'postgres', format('db%s.example.com', n), 5432, 'reader', decode(md5(n::text), 'hex'), '{"sslmode": "require"}'
FROM generate_series(1, 12) n;

CREATE VIEW failed_runs AS SELECT dag_id, count(*) FROM dag_runs WHERE state = 'failed' GROUP BY dag_id;
