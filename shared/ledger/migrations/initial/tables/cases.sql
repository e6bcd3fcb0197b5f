-- Cases, what they turned out to be, answers to repeated requests, and objects to be removed.

-- An erased case keeps its ids, its dates, its image's hash, and who erased it on what ground.
CREATE TABLE cases (
    id uuid PRIMARY KEY,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    image_sha256 varchar NOT NULL,
    image_bytes bigint,
    image_format varchar,
    width integer,
    height integer,
    size_mm double precision,
    frame integer,
    roi jsonb,
    external_id varchar,
    device varchar,
    source varchar DEFAULT 'file',
    removed jsonb,
    duplicate_of uuid REFERENCES cases ON DELETE SET NULL,
    batch varchar,
    descriptors jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at timestamptz,
    erased_by varchar,
    erased_for varchar,
    CONSTRAINT cases_erased CHECK (
        CASE WHEN erased_at IS NULL
            THEN image_bytes IS NOT NULL AND image_format IS NOT NULL
                AND width IS NOT NULL AND height IS NOT NULL AND size_mm IS NOT NULL
            ELSE erased_at IS NOT NULL AND erased_by IS NOT NULL AND erased_for IS NOT NULL
                AND size_mm IS NULL
        END
    )
);
CREATE INDEX cases_duplicated ON cases (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX cases_kept ON cases (hospital_id, created_at) WHERE erased_at IS NULL;
CREATE INDEX cases_numbered ON cases (hospital_id, external_id text_pattern_ops)
    WHERE external_id IS NOT NULL;
CREATE INDEX cases_of_batch ON cases (hospital_id, batch) WHERE batch IS NOT NULL;
CREATE INDEX cases_of_image ON cases (image_sha256) WHERE erased_at IS NULL;
CREATE INDEX cases_same_image ON cases (hospital_id, image_sha256, created_at);

-- Answers to requests with an Idempotency-Key. Without a hospital: an operator's request.
CREATE TABLE receipts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hospital_id uuid REFERENCES hospitals,
    key varchar NOT NULL,
    fingerprint varchar NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    case_id uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX receipts_kept ON receipts (created_at);
CREATE INDEX receipts_of_case ON receipts (case_id) WHERE case_id IS NOT NULL;
CREATE UNIQUE INDEX receipts_once ON receipts (hospital_id, key) NULLS NOT DISTINCT;

-- Append-only: a correction is a new row, and the last one counts.
CREATE TABLE outcomes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    malignant boolean NOT NULL,
    source varchar NOT NULL,
    determined_on date,
    patient varchar,
    consent boolean NOT NULL,
    actor varchar NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outcomes_of_case ON outcomes (case_id, id);
CREATE INDEX outcomes_of_hospital ON outcomes (hospital_id, id);

-- Objects that an erasure released: removed, or to be removed where nothing refers to them.
CREATE TABLE orphans (
    sha256 varchar PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz
);
CREATE INDEX orphans_waiting ON orphans (since) WHERE removed_at IS NULL;
