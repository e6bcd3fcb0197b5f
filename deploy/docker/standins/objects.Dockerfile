# Replaces the S3 server where images cannot be pulled: moto's server, which loses all objects when
# it stops. TLS is real.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
COPY requirements-dev.lock /build/
RUN python3 -m venv /opt/moto && /opt/moto/bin/pip install --no-cache-dir -c /build/requirements-dev.lock "moto[s3]" flask flask-cors
COPY deploy/docker/standins/objects-entrypoint.sh /usr/local/bin/
USER nobody
ENTRYPOINT ["objects-entrypoint.sh"]
