-- What the roles may do. Row-level security says with which rows.

GRANT USAGE ON SCHEMA {schema} TO sera_house, sera_hospital, sera_service;

-- The system: everything but what is on record, and what only an erasure deletes.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO sera_house;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sera_house;
REVOKE INSERT, UPDATE, DELETE ON alembic_version, schema_terms FROM sera_house;
REVOKE UPDATE, DELETE ON
    audit_events, audit_checkpoints, dataset_versions, version_images, outcomes, gates, promotions,
    reader_studies, reader_study_cases, reader_study_readers,
    reader_showings, reader_readings, reader_breaches
    FROM sera_house;
REVOKE DELETE ON
    cases, jobs, results, explanations, explanation_maps, observations, shadow_results
    FROM sera_house;

-- A hospital.
GRANT SELECT ON
    hospitals, models, audit_checkpoints, results, observations, explanation_maps
    TO sera_hospital;
GRANT SELECT, INSERT ON
    cases, explanations, outcomes, audit_events, secrets,
    reader_studies, reader_study_cases, reader_study_readers,
    reader_showings, reader_readings, reader_breaches
    TO sera_hospital;
GRANT SELECT, INSERT, UPDATE ON allowances, api_keys, jobs, receipts TO sera_hospital;
GRANT UPDATE (erased_at, erased_by, erased_for) ON cases TO sera_hospital;
GRANT UPDATE (state, opened_at, closed_at) ON reader_studies TO sera_hospital;

-- It sets a password's hash and an authenticator's secret, and never reads one.
GRANT
    SELECT (id, name, hospital_id, role, must_change, totp_since, failures, locked_until,
        signed_in_at, generation, disabled_at, created_at),
    INSERT (id, name, hospital_id, role, password_hash, must_change, issuer, subject),
    UPDATE (role, password_hash, must_change, totp_secret, totp_since, totp_step, recovery,
        failures, locked_until, generation, disabled_at)
    ON people TO sera_hospital;

-- Functions with their definer's rights are nobody's but those who are named here. Triggers run
-- without a right of whoever caused them.
REVOKE ALL ON FUNCTION
    sera_forget_case, sera_forget_readings, sera_only_of_erased, sera_only_blanked,
    sera_receipt_mark, sera_hold_objects, sera_jobs_ahead, sera_caller_of_key
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sera_receipt_mark, sera_hold_objects, sera_jobs_ahead
    TO sera_house, sera_hospital;
GRANT EXECUTE ON FUNCTION sera_caller_of_key TO sera_house, sera_service;
