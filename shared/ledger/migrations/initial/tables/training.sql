-- Training runs, their steps, and the trainers that do them.

CREATE TABLE training_runs (
    id uuid PRIMARY KEY,
    dataset_id uuid NOT NULL REFERENCES datasets,
    version_id uuid REFERENCES dataset_versions,
    recipe varchar NOT NULL,
    recipe_table jsonb,
    folds integer,
    seed bigint NOT NULL,
    state varchar NOT NULL DEFAULT 'queued',
    resumed integer NOT NULL DEFAULT 0,
    stage varchar,
    fraction double precision NOT NULL DEFAULT '0',
    metrics jsonb,
    model_digest varchar,
    reason varchar,
    message jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT training_runs_state
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'))
);

CREATE TABLE run_steps (
    run_id uuid NOT NULL REFERENCES training_runs,
    name varchar NOT NULL,
    place integer NOT NULL,
    kind varchar NOT NULL,
    subject jsonb NOT NULL DEFAULT '{}',
    after jsonb NOT NULL DEFAULT '[]',
    weight double precision NOT NULL DEFAULT '1',
    state varchar NOT NULL DEFAULT 'waiting',
    fraction double precision NOT NULL DEFAULT '0',
    message jsonb,
    attempts integer NOT NULL DEFAULT 0,
    owner varchar,
    lease_token uuid,
    lease_until timestamptz,
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    ended_at timestamptz,
    outcome jsonb,
    reason varchar,
    PRIMARY KEY (run_id, name),
    CONSTRAINT run_steps_state CHECK (state IN ('waiting', 'running', 'done', 'failed'))
);
CREATE INDEX run_steps_open ON run_steps (run_id, place)
    WHERE state IN ('waiting', 'running');

-- Progress of a run, in order.
CREATE TABLE run_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES training_runs,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    step varchar NOT NULL,
    stage varchar NOT NULL,
    fraction double precision NOT NULL,
    message jsonb NOT NULL,
    metrics jsonb NOT NULL
);
CREATE INDEX run_events_of_run ON run_events (run_id, id);

-- Trainers that are there, and which weight files they lack, by recipe.
CREATE TABLE trainers (
    name varchar PRIMARY KEY,
    lacks jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
