-- What is on record stays as it is: the database refuses to change it, whoever asks.

CREATE FUNCTION sera_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER audit_checkpoints_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER dataset_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dataset_versions
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER gates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON gates
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER promotions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON promotions
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER reader_study_cases_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON reader_study_cases
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER reader_study_readers_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON reader_study_readers
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();

-- Rows of these tables go with an erased case: the commands left out have a trigger in erasure.sql.
CREATE TRIGGER outcomes_append_only BEFORE UPDATE OR TRUNCATE ON outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER version_images_append_only BEFORE DELETE OR TRUNCATE ON version_images
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER reader_showings_append_only BEFORE UPDATE OR TRUNCATE ON reader_showings
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER reader_readings_append_only BEFORE UPDATE OR TRUNCATE ON reader_readings
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
CREATE TRIGGER reader_breaches_append_only BEFORE UPDATE OR TRUNCATE ON reader_breaches
    FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
