-- What lies in the object store, and when a worker last wanted it there: an object goes when no
-- job names it any more.
CREATE TABLE objects (
    key     text PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO objects (key)
    SELECT object FROM results UNION SELECT value FROM blocks, jsonb_each_text(blocks.objects);

CREATE INDEX jobs_finished ON jobs (finished_at);
