-- Hospitals, what each may send, and the keys of their programs.

CREATE TABLE hospitals (
    id uuid PRIMARY KEY,
    name varchar NOT NULL UNIQUE,
    prevalence double precision,
    fna_rule varchar,
    target_sensitivity double precision,
    refer_alpha double precision,
    rate_per_minute integer,
    inflight_quota integer,
    weight double precision,
    retention_days integer,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A hospital's token bucket: how many tokens it held at a moment.
CREATE TABLE allowances (
    hospital_id uuid PRIMARY KEY REFERENCES hospitals,
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Of a key's secret only the hash is stored.
CREATE TABLE api_keys (
    id varchar PRIMARY KEY,
    hospital_id uuid REFERENCES hospitals,
    role varchar NOT NULL,
    label varchar NOT NULL,
    secret_sha256 varchar NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    replaced_by varchar REFERENCES api_keys
);

-- Secrets of this installation; they never leave the database.
CREATE TABLE secrets (
    name varchar PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
