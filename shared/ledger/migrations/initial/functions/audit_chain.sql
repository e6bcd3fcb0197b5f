-- Each event of the audit trail carries the hash of the event before it in its hospital's chain.

-- The same form as shared.domain.chain makes of an event.
CREATE FUNCTION sera_audit_hash(e audit_events) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(json_build_array(
        'sera-audit/1'::text, e.chain, e.number,
        to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        e.actor, e.origin, e.event, e.case_id, e.job_id, e.details::text, e.previous)::text,
        'UTF8')), 'hex')
$$;

-- The advisory lock is held until the transaction ends, so the next event of the chain sees this
-- one committed or gone. Number, time and hash are made under the lock and never by the writer:
-- whoever may only insert can neither choose a place nor date an event back. The definer's rights
-- let a writer extend a chain that it may not read. The hospital's row is locked first, as the
-- foreign key would do later under the chain's lock; so a transaction that holds the row and then
-- writes an event runs into no deadlock.
CREATE FUNCTION sera_audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    last record;
BEGIN
    PERFORM FROM hospitals WHERE id = NEW.hospital_id FOR KEY SHARE;
    NEW.chain := coalesce(NEW.hospital_id::text, 'house');
    PERFORM pg_advisory_xact_lock(hashtextextended('sera-audit/' || NEW.chain, 0));
    SELECT number, hash INTO last FROM audit_events
    WHERE chain = NEW.chain ORDER BY number DESC LIMIT 1;
    NEW.id := nextval(pg_get_serial_sequence('audit_events', 'id'));
    NEW.at := clock_timestamp();
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.previous := coalesce(last.hash, repeat('0', 64));
    NEW.hash := sera_audit_hash(NEW);
    RETURN NEW;
END $$;

CREATE TRIGGER audit_events_chain BEFORE INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION sera_audit_chain();
