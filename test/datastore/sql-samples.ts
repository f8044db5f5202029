/** Databases and dumps that a replay must bring over unchanged. */

/** What a real schema may hold, and data that looks like everything else. */
export const RICH = `
  CREATE EXTENSION hstore; CREATE EXTENSION pgcrypto;
  CREATE SCHEMA "odd; schema";
  CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE dag (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL, tags hstore, m mood, p positive DEFAULT 1);
  CREATE TABLE run (id serial PRIMARY KEY, dag bigint REFERENCES dag, at timestamptz DEFAULT now(), body bytea) ;
  CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
  CREATE INDEX ON run (at DESC) WHERE dag IS NOT NULL;
  CREATE TABLE "odd; schema"."t""able" ("c;ol" text DEFAULT 'a''; \\restrict x --');
  CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 END; END;
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- COMMIT;
    RETURN NEW; END $$;
  CREATE FUNCTION dummy() RETURNS text LANGUAGE sql AS $$
SELECT 'x
\\restrict inside
COMMIT;
'
$$;
  DROP FUNCTION g;
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER t BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION g();
  CREATE VIEW v AS SELECT d.name, r.at FROM dag d JOIN run r ON r.dag = d.id;
  CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM dag;
  CREATE RULE r AS ON DELETE TO dag DO INSTEAD NOTHING;
  ALTER TABLE run ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON run USING (dag > 0);
  CREATE PUBLICATION pub FOR TABLE run;
  COMMENT ON TABLE dag IS E'multi\\nline; \\\\restrict x\\n\\\\.\\n';
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; GRANT SELECT ON dag TO PUBLIC;
  INSERT INTO dag (name, tags, m) VALUES
    (E'\\\\.', 'a=>1', 'sad'), (E'\\\\restrict x', NULL, NULL), (E'\\restrict\\n\\\\.\\n', NULL, NULL), (E'COMMIT;\\nBEGIN;', '', 'it''s ok'),
    (E'\\restrict looks-like-it', NULL, NULL), (E'Grüße \\u2028 \\t', NULL, NULL);
  INSERT INTO run (dag, body) SELECT 1, decode(md5(i::text), 'hex') FROM generate_series(1, 5000) i;
  INSERT INTO parted VALUES (1, 'x'); REFRESH MATERIALIZED VIEW mv;
  SELECT lo_from_bytea(424242, decode(repeat('00ff5c2e0a', 20000), 'hex'));
  COMMENT ON LARGE OBJECT 424242 IS 'large';
  CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (26, false);
`;

/** Statements that pg_dump of other releases writes. */
export const OTHER_RELEASES = `
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

ALTER TABLE IF EXISTS ONLY public.t DROP CONSTRAINT IF EXISTS t_pkey;
DROP TABLE IF EXISTS public.t;
DROP EXTENSION IF EXISTS hstore;
DROP EXTENSION IF EXISTS plpgsql;
DROP SCHEMA IF EXISTS public;
--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA public;


--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS 'standard public schema';
CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;
COMMENT ON EXTENSION hstore IS 'data type for storing sets of (key, value) pairs';
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.t (
    a integer NOT NULL,
    b text
);
COPY public.t (a, b) FROM stdin;
1\tx
\\.
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a);
`;
