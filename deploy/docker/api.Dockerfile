# The gateway. The same image runs the migrations, beat and the command line. It has no PyTorch,
# because it never loads a model.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
# Every file is fetched by its hash from the lock files; what the list names, and what that needs, is
# installed from these files alone.
COPY requirements.lock deploy/docker/packages/api.txt /build/
RUN python3 -m venv /opt/sera && \
    /opt/sera/bin/pip download --no-cache-dir --require-hashes --no-deps --only-binary=:all: -d /wheels \
        -r /build/requirements.lock && \
    PIP_CONFIG_FILE=/dev/null /opt/sera/bin/pip install --no-cache-dir --no-index --find-links /wheels \
        -r /build/api.txt && \
    PIP_CONFIG_FILE=/dev/null /opt/sera/bin/pip install --no-cache-dir --no-index --find-links /wheels \
        --no-deps koreanize-matplotlib && \
    /opt/sera/bin/pip uninstall -qy pip setuptools && \
    find /opt/sera/lib -type d -name tests -path "*/site-packages/*" \( -path "*/scipy/*" -o -path "*/numpy/*" -o -path "*/sklearn/*" \) -prune -exec rm -rf {} +

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 sera && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sera sera && \
    install -d -o sera -g sera -m 0750 /var/lib/sera && \
    for part in api worker trainer beat migrate database broker objects grafana prometheus; do \
        install -d -o sera -g sera "/secrets/$part"; done # a volume takes its owner from here
COPY --from=packages /opt/sera /opt/sera
COPY shared /srv/sera/shared
COPY services/__init__.py /srv/sera/services/
COPY services/api /srv/sera/services/api
COPY services/beat /srv/sera/services/beat
COPY cli /srv/sera/cli
COPY deploy/__init__.py /srv/sera/deploy/
COPY deploy/local /srv/sera/deploy/local
COPY deploy/docker/__init__.py deploy/docker/secrets.py /srv/sera/deploy/docker/
COPY deploy/docker/sera /usr/local/bin/sera
RUN /opt/sera/bin/python -m compileall -q /srv/sera
ENV PATH=/opt/sera/bin:$PATH PYTHONPATH=/srv/sera PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SERA_HOME=/var/lib/sera SERA_HOST=0.0.0.0 SERA_READY_FILE=/tmp/ready
WORKDIR /srv/sera
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "services.api"]
