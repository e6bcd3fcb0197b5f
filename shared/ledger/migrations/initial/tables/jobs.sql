-- The queue, and what was computed for each case.

-- The queue is this table; a message of the broker only says that there is something to do.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    state varchar NOT NULL DEFAULT 'queued',
    urgent boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz,
    lease_token uuid,
    worker varchar,
    reason varchar,
    facts jsonb,
    traceparent varchar,
    CONSTRAINT jobs_state
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'))
);
CREATE INDEX jobs_by_state ON jobs (hospital_id, state, created_at DESC, id DESC);
CREATE INDEX jobs_failed ON jobs (created_at) WHERE state = 'failed';
CREATE INDEX jobs_leased ON jobs (lease_until, hospital_id) WHERE state = 'running';
CREATE INDEX jobs_listed ON jobs (hospital_id, created_at DESC, id DESC);
CREATE INDEX jobs_of_case ON jobs (case_id);
CREATE INDEX jobs_suspect ON jobs (queued_at) WHERE state = 'queued' AND attempts > 0;
CREATE INDEX jobs_urgent ON jobs (hospital_id, created_at DESC, id DESC) WHERE urgent;
CREATE INDEX jobs_waiting ON jobs (hospital_id, urgent DESC, queued_at, id)
    WHERE state = 'queued';

-- Risk, decision and FNA come from the body itself, so that the two cannot differ.
CREATE TABLE results (
    id uuid PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES jobs,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    model_digest varchar NOT NULL,
    body jsonb NOT NULL,
    risk double precision
        GENERATED ALWAYS AS ((body->>'risk')::double precision) STORED,
    decision varchar GENERATED ALWAYS AS (body->>'decision') STORED,
    fna boolean GENERATED ALWAYS AS ((body->'fna'->>'recommended')::boolean) STORED,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT results_once UNIQUE (job_id, model_digest)
);
CREATE INDEX results_by_risk ON results (hospital_id, risk DESC, job_id DESC);
CREATE INDEX results_newest ON results (created_at DESC);
CREATE INDEX results_told ON results (hospital_id, decision, fna);

-- What monitoring needs of a result; written with it.
CREATE TABLE observations (
    job_id uuid NOT NULL REFERENCES jobs,
    model_digest varchar NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    case_id uuid NOT NULL REFERENCES cases,
    device varchar,
    score double precision NOT NULL,
    risk double precision NOT NULL,
    decision varchar NOT NULL,
    cutoff double precision NOT NULL,
    strangeness double precision,
    embedding jsonb,
    benign_p double precision,
    malignant_p double precision,
    warnings jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, model_digest)
);
CREATE INDEX observations_made ON observations (created_at);
CREATE INDEX observations_of_hospital ON observations (hospital_id, created_at);
CREATE INDEX observations_of_model ON observations (model_digest, created_at);

CREATE TABLE explanations (
    job_id uuid NOT NULL REFERENCES jobs,
    model_digest varchar NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    png_sha256 varchar,
    reason varchar,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_until timestamptz,
    made_at timestamptz,
    PRIMARY KEY (job_id, model_digest)
);
CREATE INDEX explanations_png ON explanations (png_sha256);

-- The layer of each map lies in the object store under its hash.
CREATE TABLE explanation_maps (
    job_id uuid NOT NULL,
    model_digest varchar NOT NULL,
    number integer NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    heat_sha256 varchar NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (job_id, model_digest, number),
    FOREIGN KEY (job_id, model_digest) REFERENCES explanations
);
CREATE INDEX explanation_maps_heat ON explanation_maps (heat_sha256);
