# Replaces Valkey's image where images cannot be pulled: Debian's Redis 7.0, from which Valkey was
# forked later.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends redis-server && \
    rm -rf /var/lib/apt/lists/* && ln -s /usr/bin/redis-server /usr/local/bin/valkey-server && \
    ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli && install -d -o redis -g redis /data
WORKDIR /data
USER redis
