-- Jobs, their blocks, what was found, and what came to nothing.

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
-- Whose turn it is: the job that was served, or came, longest ago. So a small new job waits for one
-- block of each older one at most, and new jobs without end do not keep an old one waiting.
CREATE INDEX jobs_turn ON jobs (coalesce(claimed_at, created_at)) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_created ON jobs (created_at DESC);

-- number -1 is the joining of all others. Pixels are global ones of the job's zoom.
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
    job_id    text NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number    integer NOT NULL,
    score     real NOT NULL,
    lon       double precision NOT NULL,
    lat       double precision NOT NULL,
    x         double precision NOT NULL,
    y         double precision NOT NULL,
    length_m  double precision NOT NULL,
    width_m   double precision NOT NULL,
    axis_deg  double precision NOT NULL,
    outline   jsonb NOT NULL,
    told      jsonb NOT NULL,
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

-- An outbox: rows are published to the dead-letter topic and then marked as sent.
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
        RAISE EXCEPTION 'job % is completed and does not change any more', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_guard BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard();

CREATE FUNCTION jobs_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.status <> OLD.status OR NEW.blocks_done <> OLD.blocks_done THEN
        PERFORM pg_notify('shipdet_jobs', NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell AFTER INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_tell();
