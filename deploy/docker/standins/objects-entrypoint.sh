#!/bin/sh
# The arguments are those of the server that this image replaces; they are ignored.
exec /opt/moto/bin/moto_server --host 0.0.0.0 --port 8333 --ssl-cert /run/secrets/public.crt --ssl-key /run/secrets/private.key
