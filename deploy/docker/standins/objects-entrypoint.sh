#!/bin/sh
# What follows is for the server that this one stands in for.
exec /opt/moto/bin/moto_server --host 0.0.0.0 --port 8333 --ssl-cert /run/secrets/public.crt --ssl-key /run/secrets/private.key
