-- Labelled images: drafts, and the versions that are frozen for training.

CREATE TABLE datasets (
    id uuid PRIMARY KEY,
    name varchar NOT NULL UNIQUE,
    synthetic boolean NOT NULL DEFAULT false,
    revision integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A frozen dataset. Append-only, as are its images.
CREATE TABLE dataset_versions (
    id uuid PRIMARY KEY,
    dataset_id uuid NOT NULL REFERENCES datasets,
    number integer NOT NULL,
    fingerprint varchar NOT NULL,
    images integer NOT NULL,
    malignant integer NOT NULL,
    test_images integer NOT NULL,
    actor varchar NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dataset_versions_number UNIQUE (dataset_id, number),
    CONSTRAINT dataset_versions_once UNIQUE (dataset_id, fingerprint)
);

CREATE TABLE dataset_images (
    dataset_id uuid NOT NULL REFERENCES datasets,
    image_sha256 varchar NOT NULL,
    malignant boolean NOT NULL,
    split varchar NOT NULL,
    roi jsonb,
    mask_sha256 varchar,
    frame integer,
    patient varchar,
    site varchar,
    size_mm double precision,
    tirads varchar,
    case_id uuid REFERENCES cases,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dataset_id, image_sha256)
);
CREATE INDEX dataset_images_of_case ON dataset_images (dataset_id, case_id)
    WHERE case_id IS NOT NULL;

CREATE TABLE version_images (
    version_id uuid NOT NULL REFERENCES dataset_versions,
    image_sha256 varchar NOT NULL,
    malignant boolean NOT NULL,
    split varchar NOT NULL,
    roi jsonb,
    mask_sha256 varchar,
    frame integer,
    patient varchar,
    site varchar,
    size_mm double precision,
    tirads varchar,
    case_id uuid REFERENCES cases,
    PRIMARY KEY (version_id, image_sha256)
);
CREATE INDEX version_images_locked ON version_images (image_sha256)
    WHERE split = 'test';
CREATE INDEX version_images_of_case ON version_images (case_id)
    WHERE case_id IS NOT NULL;
CREATE INDEX version_images_patient ON version_images (patient, site)
    WHERE patient IS NOT NULL;

-- Files of a dataset that were changed before they were stored, and what was removed.
CREATE TABLE cleanings (
    source_sha256 varchar PRIMARY KEY,
    stored_sha256 varchar NOT NULL,
    removed jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
