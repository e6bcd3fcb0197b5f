-- The database refuses a second reading (a unique constraint), an aided reading before the blind
-- one, a reading in a study that is not open, and cases or readers for a study that is no draft.

CREATE FUNCTION sera_only_in_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reader_studies WHERE id = NEW.study_id AND state = 'draft') THEN
        RAISE EXCEPTION 'only a draft takes in cases and readers'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER reader_study_cases_fixed BEFORE INSERT ON reader_study_cases
    FOR EACH ROW EXECUTE FUNCTION sera_only_in_draft();
CREATE TRIGGER reader_study_readers_fixed BEFORE INSERT ON reader_study_readers
    FOR EACH ROW EXECUTE FUNCTION sera_only_in_draft();

CREATE FUNCTION sera_move_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('draft', 'open'), ('draft', 'closed'), ('open', 'closed')
    ) THEN
        RAISE EXCEPTION 'a reader study goes from draft to open to closed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER reader_studies_move BEFORE UPDATE ON reader_studies
    FOR EACH ROW EXECUTE FUNCTION sera_move_study();

CREATE FUNCTION sera_check_reading() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM reader_studies WHERE id = NEW.study_id AND state = 'open' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the reader study is not open' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.phase = 'aided' AND NOT EXISTS (
        SELECT FROM reader_readings r WHERE r.phase = 'blind' AND r.study_id = NEW.study_id
        AND r.person_id = NEW.person_id AND r.case_id = NEW.case_id
    ) THEN
        RAISE EXCEPTION 'the blind reading comes first' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER reader_readings_in_order BEFORE INSERT ON reader_readings
    FOR EACH ROW EXECUTE FUNCTION sera_check_reading();
