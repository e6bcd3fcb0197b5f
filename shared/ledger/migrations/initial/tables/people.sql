-- People who sign in, their sessions, and how often somebody has tried.

-- Of a password only its argon2id hash is stored, of an authenticator's secret only the ciphertext.
CREATE TABLE people (
    id uuid PRIMARY KEY,
    name varchar NOT NULL UNIQUE,
    hospital_id uuid REFERENCES hospitals,
    role varchar NOT NULL,
    password_hash varchar,
    must_change boolean NOT NULL DEFAULT false,
    issuer varchar,
    subject varchar,
    totp_secret bytea,
    totp_since timestamptz,
    totp_step bigint,
    recovery jsonb NOT NULL DEFAULT '[]',
    failures integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    signed_in_at timestamptz,
    generation integer NOT NULL DEFAULT 0,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT person_of_provider UNIQUE (issuer, subject)
);
CREATE INDEX ix_people_hospital_id ON people (hospital_id);

CREATE TABLE sessions (
    token_sha256 varchar PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES people,
    generation integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    idle_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    origin varchar
);
CREATE INDEX ix_sessions_person_id ON sessions (person_id);

-- Names that nobody has and somebody tried. They are locked like names that exist.
CREATE TABLE strangers (
    name_hmac varchar PRIMARY KEY,
    failures integer NOT NULL,
    locked_until timestamptz,
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- An address's token bucket for sign-ins.
CREATE TABLE doorsteps (
    origin varchar PRIMARY KEY,
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ix_doorsteps_filled_at ON doorsteps (filled_at);

-- Sign-ins by an identity provider that have begun: what its answer is compared with, once.
CREATE TABLE arrivals (
    state_sha256 varchar PRIMARY KEY,
    browser_sha256 varchar NOT NULL,
    nonce varchar NOT NULL,
    verifier varchar NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_arrivals_expires_at ON arrivals (expires_at);
