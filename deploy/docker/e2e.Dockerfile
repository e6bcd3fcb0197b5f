# The end-to-end test of a running stack, for deploy/docker/verify.sh. It is never part of a
# deployment.
ARG API_IMAGE=sera-api:0.1.0
FROM ${API_IMAGE}
USER root
COPY requirements-dev.lock /build/
RUN PATH=/usr/local/bin:/usr/bin:/bin python3 -m pip --python /opt/sera/bin/python install --no-cache-dir -c /build/requirements-dev.lock pytest pytest-timeout
COPY tests/deployed /srv/sera/tests/deployed
HEALTHCHECK NONE
CMD ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/deployed"]
