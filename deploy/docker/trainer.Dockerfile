# The trainer. VARIANT=cuda installs PyTorch with CUDA; cpu (the default) installs the smaller build
# without it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ARG VARIANT=cpu
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
# Every file is fetched by its hash from the lock files; what the list names, and what that needs, is
# installed from these files alone.
COPY requirements.lock requirements-cpu.lock requirements-cuda.lock deploy/docker/packages/trainer.txt /build/
RUN python3 -m venv /opt/sera && \
    if [ "$VARIANT" = cpu ] && [ -n "$TORCH_CPU_INDEX" ]; then export PIP_EXTRA_INDEX_URL=$TORCH_CPU_INDEX; fi && \
    /opt/sera/bin/pip download --no-cache-dir --require-hashes --no-deps --only-binary=:all: -d /wheels \
        -r /build/requirements.lock -r "/build/requirements-$VARIANT.lock" && \
    PIP_CONFIG_FILE=/dev/null /opt/sera/bin/pip install --no-cache-dir --no-index --find-links /wheels \
        -r /build/trainer.txt $([ "$VARIANT" = cpu ] || echo nvidia-ml-py) && \
    /opt/sera/bin/pip uninstall -qy pip setuptools && \
    find /opt/sera/lib -type d -name tests -path "*/site-packages/*" \( -path "*/scipy/*" -o -path "*/numpy/*" -o -path "*/sklearn/*" \) -prune -exec rm -rf {} + && \
    rm -rf /opt/sera/lib/python3*/site-packages/torch/include /opt/sera/lib/python3*/site-packages/torch/share

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 sera && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sera sera && \
    install -d -o sera -g sera -m 0750 /var/lib/sera
COPY --from=packages /opt/sera /opt/sera
COPY shared /srv/sera/shared
COPY services/__init__.py /srv/sera/services/
COPY services/trainer /srv/sera/services/trainer
RUN /opt/sera/bin/python -m compileall -q /srv/sera
ENV PATH=/opt/sera/bin:$PATH PYTHONPATH=/srv/sera PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SERA_HOME=/var/lib/sera SERA_READY_FILE=/tmp/ready
WORKDIR /srv/sera
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["test", "-e", "/tmp/ready"]
CMD ["python", "-m", "services.trainer"]
