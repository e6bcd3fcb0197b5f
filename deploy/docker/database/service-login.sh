#!/bin/sh
# Runs once in an empty database. Creates the login of the services, which owns no tables
# (docs/security.md). The migrations need this login.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set secret="$(cat /run/secrets/service-password)" <<'SQL'
CREATE ROLE sera_service LOGIN NOINHERIT PASSWORD :'secret';
SQL
