-- Reader studies: several people read the same cases, blind and then aided.

CREATE TABLE reader_studies (
    id uuid PRIMARY KEY,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    name varchar NOT NULL,
    question varchar NOT NULL,
    design varchar NOT NULL,
    seed bigint NOT NULL,
    state varchar NOT NULL DEFAULT 'draft',
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT reader_studies_state CHECK (state IN ('draft', 'open', 'closed'))
);
CREATE INDEX ix_reader_studies_hospital_id ON reader_studies (hospital_id);

CREATE TABLE reader_study_cases (
    study_id uuid NOT NULL REFERENCES reader_studies,
    case_id uuid NOT NULL REFERENCES cases,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    job_id uuid NOT NULL REFERENCES jobs,
    PRIMARY KEY (study_id, case_id)
);
CREATE INDEX ix_reader_study_cases_case_id ON reader_study_cases (case_id);

CREATE TABLE reader_study_readers (
    study_id uuid NOT NULL REFERENCES reader_studies,
    person_id uuid NOT NULL REFERENCES people,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    number integer NOT NULL,
    PRIMARY KEY (study_id, person_id),
    CONSTRAINT reader_study_number UNIQUE (study_id, number)
);
CREATE INDEX ix_reader_study_readers_person_id ON reader_study_readers (person_id);

CREATE TABLE reader_showings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    phase varchar NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT reader_showings_case
        FOREIGN KEY (study_id, case_id) REFERENCES reader_study_cases,
    CONSTRAINT reader_showings_reader
        FOREIGN KEY (study_id, person_id) REFERENCES reader_study_readers
);
CREATE INDEX reader_showings_case ON reader_showings (case_id);
CREATE INDEX reader_showings_of ON reader_showings (study_id, person_id, case_id, phase);

CREATE TABLE reader_readings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    phase varchar NOT NULL,
    probability integer NOT NULL,
    malignant boolean NOT NULL,
    fna boolean,
    shown_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    showings integer NOT NULL,
    seen_ms bigint,
    hidden_ms bigint,
    CONSTRAINT reader_readings_once UNIQUE (study_id, person_id, case_id, phase),
    CONSTRAINT reader_readings_case
        FOREIGN KEY (study_id, case_id) REFERENCES reader_study_cases,
    CONSTRAINT reader_readings_reader
        FOREIGN KEY (study_id, person_id) REFERENCES reader_study_readers,
    CONSTRAINT reader_readings_phase CHECK (phase IN ('blind', 'aided')),
    CONSTRAINT reader_readings_probability CHECK (probability BETWEEN 0 AND 100)
);
CREATE INDEX reader_readings_case ON reader_readings (case_id);

CREATE TABLE reader_breaches (
    study_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    hospital_id uuid NOT NULL REFERENCES hospitals,
    what varchar NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (study_id, case_id, person_id, what),
    CONSTRAINT reader_breaches_case
        FOREIGN KEY (study_id, case_id) REFERENCES reader_study_cases,
    CONSTRAINT reader_breaches_reader
        FOREIGN KEY (study_id, person_id) REFERENCES reader_study_readers
);
