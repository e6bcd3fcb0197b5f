-- Models, how they were judged, which is live, and where they serve.

CREATE TABLE models (
    digest varchar PRIMARY KEY,
    name varchar NOT NULL,
    version integer NOT NULL,
    recipe varchar NOT NULL,
    run_id uuid REFERENCES training_runs,
    synthetic boolean NOT NULL,
    metrics jsonb NOT NULL,
    reference jsonb,
    card jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT models_version UNIQUE (name, version)
);

-- A candidate's validation against the live model on a locked test set. Append-only.
CREATE TABLE gates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_digest varchar NOT NULL REFERENCES models,
    live_digest varchar REFERENCES models,
    version_id uuid REFERENCES dataset_versions,
    run_id uuid REFERENCES training_runs,
    verdict varchar NOT NULL,
    reasons jsonb NOT NULL,
    figures jsonb NOT NULL,
    policy jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX gates_of_model ON gates (model_digest, id);

-- Append-only: the live model is that of the last row.
CREATE TABLE promotions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_digest varchar NOT NULL REFERENCES models,
    kind varchar NOT NULL DEFAULT 'promote'
        CONSTRAINT promotions_kind CHECK (kind IN ('promote', 'rollback')),
    gate_id bigint REFERENCES gates,
    actor varchar NOT NULL,
    reason varchar,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What each worker serves, and what it refused to serve.
CREATE TABLE serving (
    worker varchar PRIMARY KEY,
    model_digest varchar,
    since timestamptz,
    refused_digest varchar,
    refused_code varchar,
    refused_facts jsonb,
    device varchar,
    claimed_at timestamptz,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Candidates that read live traffic beside the live model. At most one has not ended.
CREATE TABLE shadows (
    id uuid PRIMARY KEY,
    model_digest varchar NOT NULL REFERENCES models,
    share double precision NOT NULL DEFAULT '1',
    actor varchar NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    end_reason jsonb
);
CREATE UNIQUE INDEX shadows_one ON shadows ((ended_at IS NULL)) WHERE ended_at IS NULL;

CREATE TABLE shadow_results (
    shadow_id uuid NOT NULL REFERENCES shadows,
    job_id uuid NOT NULL REFERENCES jobs,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    live_digest varchar NOT NULL,
    live_score double precision NOT NULL,
    live_risk double precision NOT NULL,
    live_decision varchar NOT NULL,
    score double precision,
    risk double precision,
    decision varchar,
    reason varchar,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shadow_id, job_id)
);
CREATE INDEX shadow_results_of_job ON shadow_results (job_id);
