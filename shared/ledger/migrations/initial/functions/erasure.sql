-- A case is erased when it is marked as erased: the database empties its row and deletes what
-- belongs to it in the same transaction. So no service needs the right to delete anything of a
-- case.

CREATE FUNCTION sera_blank_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'an erased case stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.erased_at IS NOT NULL THEN
        NEW.erased_at := clock_timestamp();
        NEW.image_bytes := NULL;
        NEW.image_format := NULL;
        NEW.width := NULL;
        NEW.height := NULL;
        NEW.size_mm := NULL;
        NEW.frame := NULL;
        NEW.roi := NULL;
        NEW.external_id := NULL;
        NEW.device := NULL;
        NEW.removed := NULL;
        NEW.duplicate_of := NULL;
        NEW.batch := NULL;
        NEW.source := NULL;
        NEW.descriptors := NULL;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER cases_blank BEFORE UPDATE ON cases
    FOR EACH ROW EXECUTE FUNCTION sera_blank_case();

-- What the Idempotency-Key of an erased case is replaced with: a client may have put anything into
-- the key itself.
CREATE FUNCTION sera_receipt_mark(hospital uuid, key text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    SELECT encode(sha256(
        value || convert_to(coalesce(hospital::text, 'house') || '/' || key, 'UTF8')), 'hex')
    FROM secrets WHERE name = 'receipts'
$$;

INSERT INTO secrets (name, value)
VALUES ('receipts', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- The update of the jobs waits for a worker that finishes one at this moment, and what it wrote is
-- erased too; a worker that comes later finds its lease gone. The lock on the explanations waits
-- for a worker that is writing its maps. The definer's rights reach what the eraser may not delete.
CREATE FUNCTION sera_forget_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    of_case uuid[];
BEGIN
    UPDATE jobs SET
        reason = CASE WHEN state IN ('queued', 'running') THEN 'case-erased' ELSE reason END,
        state = CASE WHEN state = 'done' THEN state ELSE 'cancelled' END,
        facts = NULL, lease_until = NULL, lease_token = NULL, updated_at = clock_timestamp()
    WHERE case_id = NEW.id;
    of_case := ARRAY(SELECT id FROM jobs WHERE case_id = NEW.id);
    PERFORM FROM explanations WHERE job_id = ANY(of_case) FOR UPDATE;
    WITH layers AS (
        DELETE FROM explanation_maps WHERE job_id = ANY(of_case) RETURNING heat_sha256
    )
    INSERT INTO orphans (sha256)
        SELECT sha256 FROM (
            SELECT heat_sha256 AS sha256 FROM layers
            UNION SELECT png_sha256 FROM explanations
                WHERE job_id = ANY(of_case) AND png_sha256 IS NOT NULL
            UNION SELECT NEW.image_sha256
        ) gone ORDER BY 1
    ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL;
    DELETE FROM explanations WHERE job_id = ANY(of_case);
    DELETE FROM results WHERE job_id = ANY(of_case);
    DELETE FROM observations WHERE job_id = ANY(of_case);
    DELETE FROM shadow_results WHERE job_id = ANY(of_case);
    DELETE FROM outcomes WHERE case_id = NEW.id;
    UPDATE version_images SET roi = NULL, frame = NULL, size_mm = NULL, tirads = NULL
    WHERE case_id = NEW.id;
    UPDATE receipts SET
        key = sera_receipt_mark(hospital_id, key), fingerprint = '', headers = NULL, body = NULL
    WHERE case_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER cases_forget AFTER UPDATE ON cases
    FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION sera_forget_case();

CREATE FUNCTION sera_forget_readings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
BEGIN
    DELETE FROM reader_readings WHERE case_id = NEW.id;
    DELETE FROM reader_showings WHERE case_id = NEW.id;
    DELETE FROM reader_breaches WHERE case_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER cases_forget_readings AFTER UPDATE ON cases
    FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION sera_forget_readings();

-- A row that is on record goes with its case, and in no other way.
CREATE FUNCTION sera_only_of_erased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM cases WHERE id = OLD.case_id AND erased_at IS NOT NULL) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER outcomes_erasable BEFORE DELETE ON outcomes
    FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased();
CREATE TRIGGER reader_showings_erasable BEFORE DELETE ON reader_showings
    FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased();
CREATE TRIGGER reader_readings_erasable BEFORE DELETE ON reader_readings
    FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased();
CREATE TRIGGER reader_breaches_erasable BEFORE DELETE ON reader_breaches
    FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased();

-- A frozen image of an erased case loses what describes the nodule, and keeps its place in the
-- version.
CREATE FUNCTION sera_only_blanked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    blank CONSTANT text[] := ARRAY['roi', 'frame', 'size_mm', 'tirads'];
BEGIN
    IF NOT EXISTS (SELECT FROM cases WHERE id = OLD.case_id AND erased_at IS NOT NULL)
        OR num_nonnulls(NEW.roi, NEW.frame, NEW.size_mm, NEW.tirads) > 0
        OR to_jsonb(NEW) - blank <> to_jsonb(OLD) - blank THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER version_images_blanked BEFORE UPDATE ON version_images
    FOR EACH ROW EXECUTE FUNCTION sera_only_blanked();

-- Whoever adds a reference to an object locks it until the reference is committed; an object that
-- is locked is not removed.
CREATE FUNCTION sera_hold_objects(hashes text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('sera-object/' || part, 0))
    FROM (SELECT DISTINCT left(hash, 2) AS part FROM unnest(hashes) AS hash ORDER BY 1) parts;
    RETURN QUERY DELETE FROM orphans WHERE sha256 = ANY(hashes) RETURNING sha256::text;
END $$;
