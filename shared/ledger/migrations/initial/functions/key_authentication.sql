-- An API key is looked up before its transaction has a role, so that one statement verifies it and
-- takes the role on. Whoever calls this must know the secret already: nobody else learns anything.

CREATE FUNCTION sera_caller_of_key(key_id text, secret text)
RETURNS TABLE (role text, hospital_id uuid, last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    SELECT k.role, k.hospital_id, k.last_used_at FROM api_keys k
    WHERE k.id = key_id AND k.secret_sha256 = secret AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
$$;
