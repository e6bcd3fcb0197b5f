-- The audit trail: a chain of hashes for each hospital, and its signed checkpoints.

CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hospital_id uuid REFERENCES hospitals,
    actor varchar NOT NULL,
    origin varchar,
    event varchar NOT NULL,
    case_id uuid,
    job_id uuid,
    details json NOT NULL DEFAULT '{}',
    chain varchar NOT NULL,
    number bigint NOT NULL,
    previous varchar NOT NULL,
    hash varchar NOT NULL,
    CONSTRAINT audit_place UNIQUE (chain, number),
    CONSTRAINT audit_chain_of_hospital
        CHECK (chain = coalesce(hospital_id::text, 'house'))
);
CREATE INDEX audit_of_hospital ON audit_events (hospital_id, id);
CREATE INDEX audit_reads ON audit_events (case_id, actor)
    WHERE event IN ('case.read', 'image.read', 'result.read', 'explanation.read');

-- The signed head of a chain.
CREATE TABLE audit_checkpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain varchar NOT NULL,
    seal bigint NOT NULL,
    number bigint NOT NULL,
    hash varchar NOT NULL,
    at timestamptz NOT NULL,
    previous varchar NOT NULL,
    key varchar NOT NULL,
    signature varchar NOT NULL,
    CONSTRAINT checkpoint_place UNIQUE (chain, seal)
);
