# The end-to-end test of a running stack, for deploy/docker/verify.sh. It is never part of a
# deployment.
ARG API_IMAGE=sera-api:0.1.0
FROM ${API_IMAGE}
USER root
COPY requirements.lock requirements-dev.lock /build/
RUN export PATH=/usr/local/bin:/usr/bin:/bin && \
    python3 -m pip download --no-cache-dir --require-hashes --no-deps --only-binary=:all: -d /wheels \
        -r /build/requirements.lock -r /build/requirements-dev.lock && \
    PIP_CONFIG_FILE=/dev/null python3 -m pip --python /opt/sera/bin/python install --no-cache-dir --no-index \
        --find-links /wheels pytest pytest-timeout && \
    rm -r /wheels
COPY tests/deployed /srv/sera/tests/deployed
HEALTHCHECK NONE
CMD ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/deployed"]
