# Stands in for the S3 server where images cannot be pulled: moto's server, which forgets all when it stops. TLS is real.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
COPY requirements-dev.lock /build/
RUN python3 -m venv /opt/moto && /opt/moto/bin/pip install --no-cache-dir -c /build/requirements-dev.lock "moto[s3]" flask flask-cors
USER nobody
ENTRYPOINT ["/opt/moto/bin/moto_server", "--host", "0.0.0.0", "--port", "8333", "--ssl-cert", "/run/secrets/public.crt", "--ssl-key", "/run/secrets/private.key"]
