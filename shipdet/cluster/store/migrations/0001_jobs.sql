-- Jobs, their blocks, their results, the files of the object store, dead letters and counters.

CREATE TABLE jobs (
    id           text PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    reference    text NOT NULL DEFAULT '',
    message      jsonb NOT NULL,
    provider     text NOT NULL DEFAULT '',
    zoom         integer,
    west         double precision NOT NULL,
    south        double precision NOT NULL,
    east         double precision NOT NULL,
    north        double precision NOT NULL,
    status       text NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    attempts     integer NOT NULL DEFAULT 1,
    blocks_total integer NOT NULL DEFAULT 0,
    blocks_done  integer NOT NULL DEFAULT 0,
    ships        integer,
    error        text NOT NULL DEFAULT '',
    worker       text NOT NULL DEFAULT '',
    notes        jsonb NOT NULL DEFAULT '[]',
    timings      jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    claimed_at   timestamptz,
    finished_at  timestamptz
);
-- The next block comes from the job that has waited longest since its last block, or since its
-- arrival. So a new job waits for at most one block of each older job, and new jobs cannot starve
-- an old one.
CREATE INDEX jobs_turn ON jobs (coalesce(claimed_at, created_at)) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_created ON jobs (created_at DESC);
CREATE INDEX jobs_finished ON jobs (finished_at);

-- Block -1 joins the results of all others. Boxes are in global pixels of the job's zoom.
CREATE TABLE blocks (
    job_id      text NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number      integer NOT NULL,
    box         integer[] NOT NULL,
    core        integer[] NOT NULL,
    status      text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
    attempts    integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    token       text,
    worker      text NOT NULL DEFAULT '',
    error       text NOT NULL DEFAULT '',
    candidates  jsonb,
    objects     jsonb NOT NULL DEFAULT '{}',
    record      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (job_id, number)
);
CREATE INDEX blocks_open ON blocks (job_id, number) WHERE status IN ('queued', 'running');

CREATE TABLE detections (
    job_id     text NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number     integer NOT NULL,
    score      real NOT NULL,
    lon        double precision NOT NULL,
    lat        double precision NOT NULL,
    x          double precision NOT NULL,
    y          double precision NOT NULL,
    length_m   double precision NOT NULL,
    width_m    double precision NOT NULL,
    axis_deg   double precision NOT NULL,
    outline    jsonb NOT NULL,
    properties jsonb NOT NULL,
    PRIMARY KEY (job_id, number)
);
CREATE INDEX detections_place ON detections (lon, lat);

CREATE TABLE results (
    job_id     text NOT NULL REFERENCES jobs ON DELETE CASCADE,
    kind       text NOT NULL,
    object     text NOT NULL,
    media_type text NOT NULL,
    bytes      bigint NOT NULL,
    PRIMARY KEY (job_id, kind)
);

-- Files in the object store, with the time when a worker last needed them. Retention removes files
-- that no job refers to.
CREATE TABLE objects (
    key     text PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT now()
);

-- An outbox: rows are published to the dead-letter topic, then marked as sent.
CREATE TABLE dead_letters (
    key        text PRIMARY KEY,
    job_id     text NOT NULL DEFAULT '',
    kind       text NOT NULL,
    reason     text NOT NULL,
    value      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX dead_letters_unsent ON dead_letters (created_at) WHERE sent_at IS NULL;

CREATE FUNCTION jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'completed' THEN
        RAISE EXCEPTION 'job % is completed and can no longer change', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_guard BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard();

CREATE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.status <> OLD.status OR NEW.blocks_done <> OLD.blocks_done THEN
        PERFORM pg_notify('shipdet_jobs', NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_notify AFTER INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_notify();

-- Counters of the metrics. They count events and never decrease, even if rows are deleted.
CREATE TABLE counters (
    name  text NOT NULL,
    label text NOT NULL DEFAULT '',
    value double precision NOT NULL,
    PRIMARY KEY (name, label)
);

CREATE FUNCTION count_event(event text, label text, amount double precision) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO counters VALUES (event, label, amount)
    ON CONFLICT ON CONSTRAINT counters_pkey DO UPDATE SET value = counters.value + excluded.value
$$;

CREATE FUNCTION jobs_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IN ('completed', 'failed', 'cancelled')
       AND (TG_OP = 'INSERT' OR NEW.status <> OLD.status) THEN
        PERFORM count_event('jobs', NEW.status, 1);
        IF NEW.status = 'completed' THEN
            PERFORM count_event('ships', '', NEW.ships);
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_count AFTER INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_count();

-- Rows of counters are locked in the order of their names, so that two blocks that end at the same
-- time cannot deadlock.
CREATE FUNCTION blocks_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_event('blocks', '', 1);
    PERFORM count_event('stage_count', key, 1), count_event('stage_seconds', key, value::float8)
        FROM (SELECT * FROM jsonb_each_text(NEW.record->'timings') ORDER BY key) stages;
    PERFORM count_event('tiles', key, value::float8)
        FROM (SELECT * FROM jsonb_each_text(NEW.record->'tiles') ORDER BY key) tiles;
    RETURN NULL;
END $$;
CREATE TRIGGER blocks_count AFTER UPDATE ON blocks FOR EACH ROW
    WHEN (NEW.number >= 0 AND NEW.status = 'done' AND OLD.status <> 'done')
    EXECUTE FUNCTION blocks_count();

CREATE FUNCTION dead_letters_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_event('dead_letters', NEW.kind, 1);
    RETURN NULL;
END $$;
CREATE TRIGGER dead_letters_count AFTER INSERT ON dead_letters FOR EACH ROW
    EXECUTE FUNCTION dead_letters_count();

-- Ships as points for GIS programs, if PostGIS is available and this role may install it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis') THEN
        BEGIN
            CREATE EXTENSION IF NOT EXISTS postgis;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'postgis is available, but this role may not install it';
        END;
    END IF;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis') THEN
        ALTER TABLE detections ADD COLUMN place geometry(Point, 4326)
            GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED;
        CREATE INDEX detections_gist ON detections USING gist (place);
    END IF;
END $$;
