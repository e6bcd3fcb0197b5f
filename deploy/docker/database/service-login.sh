#!/bin/sh
# Runs once, in an empty database: the services' login, which owns nothing (docs/security.md). Migrations need it to be there.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set secret="$(cat /run/secrets/service-password)" <<'SQL'
CREATE ROLE sera_service LOGIN NOINHERIT PASSWORD :'secret';
SQL
