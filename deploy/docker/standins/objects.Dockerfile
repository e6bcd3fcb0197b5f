# Replaces the S3 server where images cannot be pulled: moto's server, which loses all objects when
# it stops. TLS is real.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
COPY requirements.lock requirements-dev.lock requirements-cpu.lock /build/
# Of the lock with PyTorch only PyYAML, up to its last hash, which no backslash follows.
RUN awk '/^pyyaml==/ {found = 1} found {print} found && !/\\$/ {exit}' /build/requirements-cpu.lock >/build/pyyaml.lock && \
    python3 -m venv /opt/moto && \
    /opt/moto/bin/pip download --no-cache-dir --require-hashes --no-deps --only-binary=:all: -d /wheels \
        -r /build/requirements.lock -r /build/requirements-dev.lock -r /build/pyyaml.lock && \
    PIP_CONFIG_FILE=/dev/null /opt/moto/bin/pip install --no-cache-dir --no-index --find-links /wheels \
        "moto[s3]" flask flask-cors && \
    rm -r /wheels
COPY deploy/docker/standins/objects-entrypoint.sh /usr/local/bin/
USER nobody
ENTRYPOINT ["objects-entrypoint.sh"]
