# Replaces Caddy's image where images cannot be pulled: Debian's Caddy.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends caddy && rm -rf /var/lib/apt/lists/*
