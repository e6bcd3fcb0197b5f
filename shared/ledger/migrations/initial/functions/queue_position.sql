-- How many jobs are ahead of one, counted as claims are made: by turns between hospitals, over
-- their weights. The definer's rights count every hospital's jobs; whoever asks learns the number
-- and nothing else of them.

CREATE FUNCTION sera_jobs_ahead(
    asker uuid, is_urgent boolean, since timestamptz, remembered interval
) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    WITH lines AS (
        SELECT h.id, coalesce(h.weight, 1) AS weight,
               (SELECT count(*) FROM jobs WHERE hospital_id = h.id AND state = 'running')
               + (SELECT count(*) FROM results
                  WHERE hospital_id = h.id AND created_at > now() - remembered)
               + (SELECT count(*) FROM jobs
                  WHERE hospital_id = h.id AND state = 'queued' AND urgent AND NOT is_urgent)
               AS had
        FROM hospitals h
    ), mine AS MATERIALIZED (
        SELECT (had + 1 + (SELECT count(*) FROM jobs j
                           WHERE j.hospital_id = lines.id AND state = 'queued'
                           AND urgent = is_urgent AND queued_at < since)) / weight AS turn
        FROM lines WHERE id = asker
    )
    SELECT (SELECT count(*) FROM jobs WHERE state = 'queued' AND urgent AND NOT is_urgent)
        + count(*)
    FROM lines CROSS JOIN mine CROSS JOIN LATERAL (
        SELECT queued_at, (had + row_number() OVER (ORDER BY queued_at, id)) / weight AS turn
        FROM jobs WHERE hospital_id = lines.id AND state = 'queued' AND urgent = is_urgent
        ORDER BY queued_at, id LIMIT greatest(ceil(mine.turn * weight) - had, 0)
    ) ahead
    WHERE (ahead.turn, ahead.queued_at) < (mine.turn, since)
$$;
