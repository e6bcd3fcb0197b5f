# Replaces the official PostgreSQL image where images cannot be pulled: Debian's PostgreSQL, as far
# as SERA needs it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql postgresql-client && \
    rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ 2>/dev/null || true
RUN install -d -o postgres -g postgres /var/lib/postgresql /run/postgresql /docker-entrypoint-initdb.d
COPY database-entrypoint.sh /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
USER postgres
ENTRYPOINT ["database-entrypoint.sh"]
