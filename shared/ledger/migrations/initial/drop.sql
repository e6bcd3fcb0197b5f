-- Everything that the initial schema made, but for the roles: they belong to the whole server, and
-- another database of SERA may use them. Services may still read in `alembic_version` that there is
-- no schema.

-- Its argument is a row of the table.
DROP FUNCTION sera_audit_hash;

DROP TABLE
    schema_terms,
    audit_checkpoints, audit_events,
    reader_breaches, reader_readings, reader_showings,
    reader_study_readers, reader_study_cases, reader_studies,
    shadow_results, shadows, serving, promotions, gates, models,
    trainers, run_events, run_steps, training_runs,
    cleanings, version_images, dataset_images, dataset_versions, datasets,
    explanation_maps, explanations, observations, results, jobs,
    orphans, outcomes, receipts, cases,
    arrivals, doorsteps, strangers, sessions, people,
    secrets, api_keys, allowances, hospitals;

DROP FUNCTION
    sera_audit_chain, sera_refuse_change,
    sera_blank_case, sera_forget_case, sera_forget_readings, sera_only_of_erased, sera_only_blanked,
    sera_receipt_mark, sera_hold_objects,
    sera_only_in_draft, sera_move_study, sera_check_reading,
    sera_jobs_ahead, sera_caller_of_key;

ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
    REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM sera_house;
REVOKE USAGE ON SCHEMA {schema} FROM sera_house, sera_hospital, sera_service;
