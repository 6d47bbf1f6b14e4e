#!/bin/sh
# Brings compose.yaml up with secrets of its own, has a job run, and takes all of it down again. Needs a container engine.
set -eu
cd "$(dirname "$0")/.."
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
export COMPOSE_PROJECT_NAME=smartqueue-smoke PORT="${PORT:-8000}" SMARTQUEUE_TASK_MODULES=smartqueue.demo.tasks
export SECRET_KEY="$(random)" JWT_SIGNING_KEY="$(random)" ENCRYPTION_KEYS="k1:$(random)"
export POSTGRES_PASSWORD="$(random)" SMARTQUEUE_METRICS_TOKEN="$(random)" GRAFANA_PASSWORD="$(random)"
finish() {
    code=$?
    [ $code = 0 ] || docker compose logs --tail 50
    docker compose down --volumes --timeout 20
    exit $code
}
trap finish EXIT
docker compose up --detach --wait --wait-timeout 180 web scheduler worker watchdog
python3 deploy/smoke.py "http://127.0.0.1:$PORT"
