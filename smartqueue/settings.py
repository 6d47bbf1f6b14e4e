"""Every setting of SmartQueue, units in the name. With env.py the only reader of the environment."""

import socket
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from jobs.stream.words import EVENTS
from smartqueue.brokers import env_events, kafka_bootstrap, kafka_connection, kafka_topic, sqs_queue
from smartqueue.database import databases, probe_dir, secret, state_dir
from smartqueue.env import (
    env_bool,
    env_choice,
    env_connections,
    env_default,
    env_int,
    env_keys,
    env_list,
    env_mail,
    env_ports,
    env_rate,
    env_retries,
    env_seconds,
    env_str,
    env_template,
)
from smartqueue.storage import artefact_storage

# Before NumPy is loaded: on a busy host its threads wait for each other over the model's small matrices, and a training
# took six times the processor time with two of them.
env_default("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- Safety -----------------------------------------------------------------------------------------------------
DEBUG = env_bool("SMARTQUEUE_DEBUG", False)
TESTING = env_bool("SMARTQUEUE_TESTING", False)


def required_secret(name: str) -> str:
    """From the environment; in development from the state folder, where it is made on first use."""
    value = env_str(name, "") or (secret(name.lower()) if DEBUG or TESTING else "")
    if len(value) < 32:
        raise ImproperlyConfigured(f"{name} must be set to at least 32 random characters (or SMARTQUEUE_DEBUG=1)")
    return value


SECRET_KEY = required_secret("SECRET_KEY")
JWT_SIGNING_KEY = required_secret("JWT_SIGNING_KEY")
if JWT_SIGNING_KEY == SECRET_KEY:
    raise ImproperlyConfigured("JWT_SIGNING_KEY must differ from SECRET_KEY: who learns one must not have the other")
# Of organisations' secrets in the database, newest first: the first encrypts, all decrypt.
ENCRYPTION_KEYS = env_keys("ENCRYPTION_KEYS", f"dev:{secret('encryption_key')}" if DEBUG or TESTING else "")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" + (",testserver" if TESTING else ""))
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = env_list("CORS_ALLOWED_ORIGINS")
# Set when TLS ends before us: cookies are then marked Secure and HSTS is sent.
HTTPS = env_bool("SMARTQUEUE_HTTPS", False)
# How many proxies of ours stand before the web, each adding the address of its caller to X-Forwarded-For. Too few: all
# clients count as one, the proxy; too many: clients choose their address themselves.
TRUSTED_PROXIES = env_int("SMARTQUEUE_TRUSTED_PROXIES", 0)

# --- How often who may ask for what -----------------------------------------------------------------------------
# count/seconds, or count/seconds/burst; off: any number. The count comes back steadily over the seconds, and after a
# rest there may be a burst (the count, where it is not said) at once. Exact over all web processes. Tests turn on what
# they are about.


def rate(name: str, default: str) -> tuple[int, float, int] | None:
    return env_rate(name, "off" if TESTING else default)


# Of one address, or one IPv6 /64.
REGISTER_RATE = rate("SMARTQUEUE_REGISTER_RATE", "5/60")
LOGIN_RATE = rate("SMARTQUEUE_LOGIN_RATE", "10/60")
REFRESH_RATE = rate("SMARTQUEUE_REFRESH_RATE", "120/60")
# Sign-ins that fail, of one account, whoever tries. Lower: harder to guess, and easier for others to shut somebody out.
ACCOUNT_LOGIN_RATE = rate("SMARTQUEUE_ACCOUNT_LOGIN_RATE", "10/300")
# Of one person: invitations sent and answered.
INVITATION_RATE = rate("SMARTQUEUE_INVITATION_RATE", "30/60")
# Jobs submitted over the API and the pages, each of a bulk call or batch counted.
USER_JOB_RATE = rate("SMARTQUEUE_USER_JOB_RATE", "30000/60")
ORG_JOB_RATE = rate("SMARTQUEUE_ORG_JOB_RATE", "60000/60")
# All other calls of the API: of one person or key, and of one organisation.
CALL_RATE = rate("SMARTQUEUE_CALL_RATE", "12000/60")
ORG_CALL_RATE = rate("SMARTQUEUE_ORG_CALL_RATE", "60000/60")
# All that an organisation has, as one file.
ORG_EXPORT_RATE = rate("SMARTQUEUE_ORG_EXPORT_RATE", "2/3600")

# How long an organisation's export may take: for so long, while rows are read, nothing is vacuumed that came since.
ORG_EXPORT_SECONDS = env_seconds("SMARTQUEUE_ORG_EXPORT_SECONDS", 3600, minimum=1)

# --- How much an organisation may have at once -----------------------------------------------------------------
# Where a platform admin has not set it otherwise. Jobs that wait, be it for a worker, a time or other jobs; and the
# payloads of all that have not ended.
WAITING_MAX_JOBS = env_int("SMARTQUEUE_WAITING_MAX_JOBS", 1_000_000)
WAITING_MAX_PAYLOAD_BYTES = env_int("SMARTQUEUE_WAITING_MAX_PAYLOAD_BYTES", 5_000_000_000)
SCHEDULES_MAX = env_int("SMARTQUEUE_SCHEDULES_MAX", 1_000)
# Of all artefacts together.
ARTEFACT_ORG_MAX_BYTES = env_int("SMARTQUEUE_ARTEFACT_ORG_MAX_BYTES", 10_000_000_000, minimum=1)
# So near to its quota an organisation's submits are stored one after the other, and it is exact. More than it puts in
# within a second, as long as a process goes by what it last read. Smaller: fewer wait for each other.
QUOTA_MARGIN_JOBS = env_int("SMARTQUEUE_QUOTA_MARGIN_JOBS", 100_000)
QUOTA_MARGIN_BYTES = env_int("SMARTQUEUE_QUOTA_MARGIN_BYTES", 1_000_000_000)

# --- The queue --------------------------------------------------------------------------------------------------
# Shorter: a dead worker's jobs are retaken sooner; longer: more room for a stalled host. Renewed at a third.
LEASE_SECONDS = env_seconds("SMARTQUEUE_LEASE_SECONDS", 30, minimum=1)
LEASE_RENEW_SECONDS = env_seconds("SMARTQUEUE_LEASE_RENEW_SECONDS", 10, minimum=0.2)
HEARTBEAT_SECONDS = env_seconds("SMARTQUEUE_HEARTBEAT_SECONDS", 5, minimum=0.2)
WORKER_DEAD_SECONDS = env_seconds("SMARTQUEUE_WORKER_DEAD_SECONDS", 15, minimum=1)
# What a lost notification costs at most.
POLL_SECONDS = env_seconds("SMARTQUEUE_POLL_SECONDS", 1, minimum=0.05)
WATCHDOG_SECONDS = env_seconds("SMARTQUEUE_WATCHDOG_SECONDS", 1, minimum=0.1)
# How late a due job may be queued.
PROMOTE_SECONDS = env_seconds("SMARTQUEUE_PROMOTE_SECONDS", 0.5, minimum=0.05)
PROMOTE_BATCH = env_int("SMARTQUEUE_PROMOTE_BATCH", 5000, minimum=1)
# A cron time that is found due later than this was missed: the schedule says what becomes of it.
SCHEDULE_GRACE_SECONDS = env_seconds("SMARTQUEUE_SCHEDULE_GRACE_SECONDS", 60, minimum=1)
# The lock's session is used this often; a standby ends a session silent for LEADER_SILENT_SECONDS and takes over.
LEADER_PING_SECONDS = env_seconds("SMARTQUEUE_LEADER_PING_SECONDS", 0.3, minimum=0.05)
LEADER_SILENT_SECONDS = env_seconds("SMARTQUEUE_LEADER_SILENT_SECONDS", 1.2, minimum=0.2)
LEADER_BEAT_SECONDS = env_seconds("SMARTQUEUE_LEADER_BEAT_SECONDS", 5, minimum=0.2)
LEADER_STALE_SECONDS = env_seconds("SMARTQUEUE_LEADER_STALE_SECONDS", 15, minimum=1)
DEPTH_SAMPLE_SECONDS = env_seconds("SMARTQUEUE_DEPTH_SAMPLE_SECONDS", 15, minimum=0.2)
WORKER_SLOTS = env_int("SMARTQUEUE_WORKER_SLOTS", 5, minimum=1)
DRAIN_GRACE_SECONDS = env_seconds("SMARTQUEUE_DRAIN_GRACE_SECONDS", 8)

# Calls that may wait in each web process: of own workers for a job, and of people for a job to move on (?wait=). Each
# holds one of its threads: keep the two together well below what it has. One more is answered at once.
WORKER_WAITS = env_int("SMARTQUEUE_WORKER_WAITS", 3, minimum=0)
JOB_WAITS = env_int("SMARTQUEUE_JOB_WAITS", 2, minimum=0)

RETRIES = env_int("SMARTQUEUE_RETRIES", 3)
RETRY_BASE_SECONDS = env_seconds("SMARTQUEUE_RETRY_BASE_SECONDS", 2)
RETRY_CAP_SECONDS = env_seconds("SMARTQUEUE_RETRY_CAP_SECONDS", 60)
RETRY_JITTER_SECONDS = env_seconds("SMARTQUEUE_RETRY_JITTER_SECONDS", 1)
# By job type, where it differs: {"email": {"max_attempts": 6, "base_seconds": 30, "cap_seconds": 3600}}.
RETRY_POLICIES = env_retries("SMARTQUEUE_RETRY_POLICIES")
MAX_ATTEMPTS_CAP = env_int("SMARTQUEUE_MAX_ATTEMPTS_CAP", 25, minimum=1)
JOB_TIMEOUT_SECONDS = env_int("SMARTQUEUE_JOB_TIMEOUT_SECONDS", 300, minimum=1)
JOB_TIMEOUT_CAP_SECONDS = env_int("SMARTQUEUE_JOB_TIMEOUT_CAP_SECONDS", 6 * 3600, minimum=1)
# What operators may ask for; an org_admin may go up to the caps above.
OPERATOR_TIMEOUT_CAP_SECONDS = env_int("SMARTQUEUE_OPERATOR_TIMEOUT_CAP_SECONDS", 3600, minimum=1)
OPERATOR_MAX_ATTEMPTS_CAP = env_int("SMARTQUEUE_OPERATOR_MAX_ATTEMPTS_CAP", 10, minimum=1)
MAX_DELAY_DAYS = env_int("SMARTQUEUE_MAX_DELAY_DAYS", 365, minimum=1)

# What a job may be filed under, in organisations that have no categories of their own.
JOB_CATEGORIES = env_list("SMARTQUEUE_JOB_CATEGORIES", "Infrastructure,Database,Application,Network")

PAYLOAD_MAX_BYTES = env_int("SMARTQUEUE_PAYLOAD_MAX_BYTES", 10_000, minimum=2)
RESULT_MAX_BYTES = env_int("SMARTQUEUE_RESULT_MAX_BYTES", 256_000, minimum=2)
LOG_LINE_MAX_CHARACTERS = env_int("SMARTQUEUE_LOG_LINE_MAX_CHARACTERS", 4_000, minimum=80)
LOG_MAX_LINES = env_int("SMARTQUEUE_LOG_MAX_LINES", 5_000, minimum=1)
# Of an artefact that a handler holds in memory, and of one that is a file, made or sent.
ARTEFACT_MAX_BYTES = env_int("SMARTQUEUE_ARTEFACT_MAX_BYTES", 20_000_000, minimum=1)
ARTEFACT_FILE_MAX_BYTES = env_int("SMARTQUEUE_ARTEFACT_FILE_MAX_BYTES", 500_000_000, minimum=1)
# For so long a download from S3 may begin, once we have said where it is.
ARTEFACT_URL_SECONDS = env_int("SMARTQUEUE_ARTEFACT_URL_SECONDS", 60, minimum=1)
# What people send for jobs to read is kept so long; what jobs make is kept as long as the job.
ARTEFACT_SENT_DAYS = env_int("SMARTQUEUE_ARTEFACT_SENT_DAYS", 7, minimum=1)
# That one attempt of a python task may submit.
ENQUEUE_MAX_JOBS = env_int("SMARTQUEUE_ENQUEUE_MAX_JOBS", 1_000, minimum=1)
BULK_MAX_JOBS = env_int("SMARTQUEUE_BULK_MAX_JOBS", 1_000, minimum=1)
# Dead letters that one call sends back at most; the answer says whether there are more.
REPLAY_MAX_JOBS = env_int("SMARTQUEUE_REPLAY_MAX_JOBS", 20_000, minimum=1)
# For so long a cancel, a delete or a pause from the pages can be undone; 0: it is done at once, and stays.
UNDO_SECONDS = env_int("SMARTQUEUE_UNDO_SECONDS", 0 if TESTING else 10, minimum=0)
# For so long the pages tell a tab that nothing is new without looking again at who asks; 0: they always look.
POLL_REMEMBER_SECONDS = env_int("SMARTQUEUE_POLL_REMEMBER_SECONDS", 0 if TESTING else 30, minimum=0)
# Jobs that one batch of a bulk operation acts on at most, and looks through to find them: a transaction of the leader.
BULK_OPERATION_BATCH = env_int("SMARTQUEUE_BULK_OPERATION_BATCH", 500, minimum=1)
BULK_OPERATION_WINDOW = env_int("SMARTQUEUE_BULK_OPERATION_WINDOW", 20_000, minimum=1)
IDEMPOTENCY_HOURS = env_int("SMARTQUEUE_IDEMPOTENCY_HOURS", 24, minimum=1)
# For how long an event that was acted on is remembered: longer than its sender repeats it.
SEEN_EVENT_DAYS = env_int("SMARTQUEUE_SEEN_EVENT_DAYS", 30, minimum=1)
# Ended jobs, with all that hangs on them; dead letters are kept until a person acts or this age.
RETENTION_DAYS = env_int("SMARTQUEUE_RETENTION_DAYS", 30, minimum=1)
DEAD_LETTER_RETENTION_DAYS = env_int("SMARTQUEUE_DEAD_LETTER_RETENTION_DAYS", 90, minimum=1)
# Of each second, so long the leader makes the words that jobs are found by, and as long it counts errors: in a rush
# they come later rather than take from those who work.
SEARCH_INDEX_SECONDS = env_seconds("SMARTQUEUE_SEARCH_INDEX_SECONDS", 0.05, minimum=0.001)
PRUNE_SECONDS = env_seconds("SMARTQUEUE_PRUNE_SECONDS", 600, minimum=1)
PRUNE_BATCH = env_int("SMARTQUEUE_PRUNE_BATCH", 2_000, minimum=1)
# The leader seals new rows of the audit trail this often. A superuser can cut off what is younger without a trace;
# each seal is a row of some 400 bytes, and 8 more for each row that it covers.
AUDIT_SEAL_SECONDS = env_seconds("SMARTQUEUE_AUDIT_SEAL_SECONDS", 5, minimum=0.05)
# How long an organisation whose end was asked for may be restored.
ORG_GRACE_DAYS = env_int("SMARTQUEUE_ORG_GRACE_DAYS", 30, minimum=1)
INVITATION_DAYS = env_int("SMARTQUEUE_INVITATION_DAYS", 14, minimum=1)
# Good ones that one member may have in one organisation.
KEYS_MAX = env_int("SMARTQUEUE_KEYS_MAX", 50, minimum=1)

# For so long a migration waits for a lock, with whoever needs the table behind it; then it stands back and tries again.
MIGRATE_LOCK_TIMEOUT_SECONDS = env_seconds("SMARTQUEUE_MIGRATE_LOCK_TIMEOUT_SECONDS", 2, minimum=0.01)

# How queues are ordered whose organisation has not chosen: learned, fifo or priority.
QUEUE_POLICY = env_choice("SMARTQUEUE_QUEUE_POLICY", "learned", {"learned", "fifo", "priority"})
# A job waits its organisation's lead, stretched by its prediction: a standard deviation more or less counts as
# e^RANK_POWER, within 1/RANK_STRETCH and RANK_STRETCH. Greater, and short jobs are sooner; no job waits longer than
# RANK_STRETCH squared times its wait in order of arrival.
RANK_POWER = env_seconds("SMARTQUEUE_RANK_POWER", 2)
RANK_STRETCH = env_seconds("SMARTQUEUE_RANK_STRETCH", 20, minimum=1)
# Who is not ahead of his share is ranked as if so much ahead, so that what is short is still sooner.
RANK_LEAD_MIN_SECONDS = env_seconds("SMARTQUEUE_RANK_LEAD_MIN_SECONDS", 1, minimum=0.001)
# For so long a process takes what it last read of an organisation's share of a queue, of what waits there, and of all
# that it has waiting, to be so.
SHARE_FRESH_SECONDS = env_seconds("SMARTQUEUE_SHARE_FRESH_SECONDS", 0 if TESTING else 1)
# What limits have refused is counted in each process, and written so often; 0: never by itself.
LIMIT_HITS_SECONDS = env_seconds("SMARTQUEUE_LIMIT_HITS_SECONDS", 0 if TESTING else 1)
DEFAULT_PREDICTED_MS = env_seconds("SMARTQUEUE_DEFAULT_PREDICTED_MS", 2000, minimum=1)
# How soon a newly trained model is used everywhere.
MODEL_RELOAD_SECONDS = env_seconds("SMARTQUEUE_MODEL_RELOAD_SECONDS", 3)
# The longest a submit waits for the model; one that is slower, or fails, is then left alone for a while.
PREDICT_SECONDS = env_seconds("SMARTQUEUE_PREDICT_SECONDS", 0.25, minimum=0.001)
MODEL_REST_SECONDS = env_seconds("SMARTQUEUE_MODEL_REST_SECONDS", 60)
# For so long a process takes what it last read of the past runs of a kind of job for what they are.
HISTORY_FRESH_SECONDS = env_seconds("SMARTQUEUE_HISTORY_FRESH_SECONDS", 0 if TESTING else 1)
# A model is trained on the newest runs of an organisation, when there are enough to hold some out.
TRAIN_MIN_RUNS = env_int("SMARTQUEUE_TRAIN_MIN_RUNS", 100, minimum=10)
TRAIN_MAX_RUNS = env_int("SMARTQUEUE_TRAIN_MAX_RUNS", 20_000, minimum=10)
TRAIN_MAX_SECONDS = env_seconds("SMARTQUEUE_TRAIN_MAX_SECONDS", 60, minimum=0.1)
# The leader trains a model when so many runs have ended since the last time, and so many in a hundred of those before.
TRAIN_AFTER_RUNS = env_int("SMARTQUEUE_TRAIN_AFTER_RUNS", 200, minimum=1)
TRAIN_AFTER_PERCENT = env_int("SMARTQUEUE_TRAIN_AFTER_PERCENT", 10)
TRAIN_LOOK_SECONDS = env_seconds("SMARTQUEUE_TRAIN_LOOK_SECONDS", 5, minimum=0.05)
# What the process of a training may take of address space, which counts more than what it uses; and of time beside
# TRAIN_MAX_SECONDS, to read the runs and to store the model. Beyond either it is ended, and nothing is stored.
TRAIN_MEMORY_MAX_BYTES = env_int("SMARTQUEUE_TRAIN_MEMORY_MAX_BYTES", 2_000_000_000, minimum=100_000_000)
TRAIN_GRACE_SECONDS = env_seconds("SMARTQUEUE_TRAIN_GRACE_SECONDS", 60, minimum=0.1)
# After a training that failed the next one waits so long, twice as long after each further one.
TRAIN_RETRY_SECONDS = env_seconds("SMARTQUEUE_TRAIN_RETRY_SECONDS", 60, minimum=0.05)
# Older versions of an organisation's model are deleted, except the one in use and the one before it.
MODEL_VERSIONS_KEPT = env_int("SMARTQUEUE_MODEL_VERSIONS_KEPT", 10, minimum=1)
# A model drifts when its error over the last hours, and no fewer runs, is so much of that on its held-out runs for so
# long: it is then trained again at once. Less time or fewer runs: sooner, and more often by chance.
DRIFT_HOURS = env_int("SMARTQUEUE_DRIFT_HOURS", 6, minimum=1)
DRIFT_RUNS = env_int("SMARTQUEUE_DRIFT_RUNS", 100, minimum=1)
DRIFT_PERCENT = env_int("SMARTQUEUE_DRIFT_PERCENT", 150, minimum=100)
DRIFT_SECONDS = env_seconds("SMARTQUEUE_DRIFT_SECONDS", 900)
# How near the predictions of each hour were is kept so long.
ACCURACY_RETENTION_DAYS = env_int("SMARTQUEUE_ACCURACY_RETENTION_DAYS", 90, minimum=1)
# The sums that charts are drawn from: how often attempts are added to them, and for how many days those of minutes,
# hours and days are kept.
ROLLUP_SECONDS = env_seconds("SMARTQUEUE_ROLLUP_SECONDS", 2, minimum=0.05)
ROLLUP_MINUTE_DAYS = env_int("SMARTQUEUE_ROLLUP_MINUTE_DAYS", 2, minimum=2)
ROLLUP_HOUR_DAYS = env_int("SMARTQUEUE_ROLLUP_HOUR_DAYS", 60, minimum=31)
ROLLUP_DAY_DAYS = env_int("SMARTQUEUE_ROLLUP_DAY_DAYS", 730, minimum=31)
# What is remembered of kinds of jobs that have not run for so long is forgotten.
MEMORY_RETENTION_DAYS = env_int("SMARTQUEUE_MEMORY_RETENTION_DAYS", 365, minimum=1)

# --- Classification ---------------------------------------------------------------------------------------------
# How soon after a submit its text is read, and how many are at a time. More are quicker in all, fewer are told sooner.
CLASSIFY_SECONDS = env_seconds("SMARTQUEUE_CLASSIFY_SECONDS", 0.5, minimum=0.02)
CLASSIFY_BATCH = env_int("SMARTQUEUE_CLASSIFY_BATCH", 200, minimum=1)
# The longest that a classifier may take over a batch; one that is slower, or fails, rests for MODEL_REST_SECONDS.
CLASSIFY_MAX_SECONDS = env_seconds("SMARTQUEUE_CLASSIFY_MAX_SECONDS", 5, minimum=0.01)
# Less sure of its urgency, a job is not moved; a guess among three is right by a third. Higher: fewer are moved.
CLASSIFY_URGENCY_MIN_PERCENT = env_int("SMARTQUEUE_CLASSIFY_URGENCY_MIN_PERCENT", 40)
# What was answered to a text is remembered so long, and no more answers than these: each takes about half a kilobyte.
CLASSIFY_CACHE_DAYS = env_int("SMARTQUEUE_CLASSIFY_CACHE_DAYS", 30, minimum=1)
CLASSIFY_CACHE_MAX_ROWS = env_int("SMARTQUEUE_CLASSIFY_CACHE_MAX_ROWS", 200_000, minimum=1)
# An organisation's classifier is fitted anew after so many corrections, or when nobody has made one for so long.
LABELS_EACH = env_int("SMARTQUEUE_LABELS_EACH", 20, minimum=1)
LABELS_QUIET_SECONDS = env_seconds("SMARTQUEUE_LABELS_QUIET_SECONDS", 60)
# The newest corrections that it is fitted to, and the longest that may take.
LABELS_MAX = env_int("SMARTQUEUE_LABELS_MAX", 10_000, minimum=1)
LABELS_MAX_SECONDS = env_seconds("SMARTQUEUE_LABELS_MAX_SECONDS", 30, minimum=0.1)
# An OpenAI-compatible endpoint (…/v1) that is asked first, where one is named. It is the operator's, and trusted with
# titles, descriptions and types of jobs, never with payloads.
CLASSIFIER_URL = env_str("SMARTQUEUE_CLASSIFIER_URL", "").rstrip("/")
CLASSIFIER_MODEL = env_str("SMARTQUEUE_CLASSIFIER_MODEL", "")
CLASSIFIER_API_KEY = env_str("SMARTQUEUE_CLASSIFIER_API_KEY", "")
if CLASSIFIER_URL and not (CLASSIFIER_URL.startswith(("http://", "https://")) and CLASSIFIER_MODEL):
    raise ImproperlyConfigured(
        "SMARTQUEUE_CLASSIFIER_URL is http(s)://…, and SMARTQUEUE_CLASSIFIER_MODEL names a model"
    )
# For one whole answer; questions at a time of one scheduler process; after how many failures in a row it is left alone
# for how long, and then tried with one question.
CLASSIFIER_TIMEOUT_SECONDS = env_seconds("SMARTQUEUE_CLASSIFIER_TIMEOUT_SECONDS", 10, minimum=0.1)
CLASSIFIER_SLOTS = env_int("SMARTQUEUE_CLASSIFIER_SLOTS", 4, minimum=1)
CLASSIFIER_FAILURES = env_int("SMARTQUEUE_CLASSIFIER_FAILURES", 5, minimum=1)
CLASSIFIER_REST_SECONDS = env_seconds("SMARTQUEUE_CLASSIFIER_REST_SECONDS", 60)

# Isolated attempts: what the process of one may take (of memory, beside what is loaded when it begins), and how long it
# may go on after it was asked to stop.
CHILD_MEMORY_MAX_BYTES = env_int("SMARTQUEUE_CHILD_MEMORY_MAX_BYTES", 1_000_000_000, minimum=1_000_000)
CHILD_PROCESSOR_SECONDS = env_int("SMARTQUEUE_CHILD_PROCESSOR_SECONDS", 3600, minimum=1)
CHILD_FILE_MAX_BYTES = env_int("SMARTQUEUE_CHILD_FILE_MAX_BYTES", 1_000_000_000, minimum=0)
# Beside those its user has already, whom the kernel counts together; it sets root no such limit.
CHILD_MAX_PROCESSES = env_int("SMARTQUEUE_CHILD_MAX_PROCESSES", 1_000, minimum=2)
# Attempts that read what tenants send (etl, ml, images) are shut in, by Linux's namespaces, Landlock and seccomp.
# required: they are refused where that cannot be; auto: they run with what walls there are, and a warning; off.
CHILD_SANDBOX = env_choice(
    "SMARTQUEUE_CHILD_SANDBOX", "auto" if DEBUG or TESTING else "required", {"auto", "required", "off"}
)
CHILD_KILL_GRACE_SECONDS = env_seconds("SMARTQUEUE_CHILD_KILL_GRACE_SECONDS", 1.2)

# --- Job types --------------------------------------------------------------------------------------------------
# ml jobs: the rows of a table and the values of what is made of it, and the bytes of a table and of a model.
ML_MAX_ROWS = env_int("SMARTQUEUE_ML_MAX_ROWS", 200_000, minimum=1)
ML_MAX_CELLS = env_int("SMARTQUEUE_ML_MAX_CELLS", 20_000_000, minimum=1)
ML_INPUT_MAX_BYTES = env_int("SMARTQUEUE_ML_INPUT_MAX_BYTES", 200_000_000, minimum=1)
ML_MODEL_MAX_BYTES = env_int("SMARTQUEUE_ML_MODEL_MAX_BYTES", 200_000_000, minimum=1)

# Modules whose @task functions may be run by python jobs.
TASK_MODULES = env_list("SMARTQUEUE_TASK_MODULES", "smartqueue.demo.tasks" if DEBUG else "")
# Functions decorated with @task of Django Tasks: the organisation whose jobs they are, by its slug (where there is only
# one it need not be named), the queues they may name, and how often each is tried. Django has a task that raised fail
# at once: more tries are for those that may safely run twice.
TASKS = {
    "default": {
        "BACKEND": "jobs.backend.SmartQueueBackend",
        "QUEUES": env_list("SMARTQUEUE_DJANGO_TASKS_QUEUES", "default"),
        "OPTIONS": {
            "ORG": env_str("SMARTQUEUE_DJANGO_TASKS_ORG", ""),
            "MAX_ATTEMPTS": env_int("SMARTQUEUE_DJANGO_TASKS_MAX_ATTEMPTS", 1, minimum=1),
            "TIMEOUT_SECONDS": env_int("SMARTQUEUE_DJANGO_TASKS_TIMEOUT_SECONDS", JOB_TIMEOUT_SECONDS, minimum=1),
        },
    }
}
# Where this deployment is reached, for links and for the http jobs' example.
PUBLIC_URL = env_str("SMARTQUEUE_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
# Where a job's trace and its logs are looked at, linked from its page: addresses with {trace_id}, {job_id} or
# {correlation_id} in them. Empty: no link.
TRACE_URL = env_template("SMARTQUEUE_TRACE_URL", {"trace_id", "job_id", "correlation_id"})
LOG_URL = env_template("SMARTQUEUE_LOG_URL", {"trace_id", "job_id", "correlation_id"})
# Spans by OTLP over HTTP, to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs requirements-otel.txt.
TRACING = env_bool("SMARTQUEUE_TRACING", False)
if TRACING and not (find_spec("opentelemetry") and find_spec("opentelemetry.sdk")):
    raise ImproperlyConfigured("SMARTQUEUE_TRACING=1 needs OpenTelemetry: pip install -r requirements-otel.txt")
# http jobs reach private addresses, and other ports than these, only where the host or host:port is named here. In
# development that is our own web, so that the example works.
HTTP_ALLOW_HOSTS = env_list("SMARTQUEUE_HTTP_ALLOW_HOSTS", urlsplit(PUBLIC_URL).netloc if DEBUG else "")
HTTP_PORTS = env_ports("SMARTQUEUE_HTTP_PORTS", "80,443,8080,8443")
# Certificates to trust besides the system's, as a PEM file.
HTTP_CA_FILE = env_str("SMARTQUEUE_HTTP_CA_FILE", "")
HTTP_CONNECT_SECONDS = env_seconds("SMARTQUEUE_HTTP_CONNECT_SECONDS", 5, minimum=0.1)
# For the whole exchange, where the job does not say.
HTTP_TIMEOUT_SECONDS = env_seconds("SMARTQUEUE_HTTP_TIMEOUT_SECONDS", 30, minimum=0.1)
# A server that asks for a longer pause does not get it.
HTTP_RETRY_AFTER_MAX_SECONDS = env_seconds("SMARTQUEUE_HTTP_RETRY_AFTER_MAX_SECONDS", 3600)
HTTP_BODY_MAX_BYTES = env_int("SMARTQUEUE_HTTP_BODY_MAX_BYTES", 100_000, minimum=0)
# The programs shell jobs may run, by absolute path; an organisation chooses among them, none by default. Name none
# that runs others (env, find, sort, tar, any shell or interpreter): it would open the whole system.
SHELL_PROGRAMS = env_list(
    "SMARTQUEUE_SHELL_PROGRAMS",
    "/bin/echo,/bin/cat,/bin/date,/bin/false,/bin/ls,/bin/sleep,/usr/bin/head,/usr/bin/printenv,/usr/bin/seq,"
    "/usr/bin/sha256sum,/usr/bin/tr,/usr/bin/uniq,/usr/bin/wc"
    if DEBUG or TESTING
    else "",
)
# required: no shell job runs outside bubblewrap; auto: without it where it does not work, with a warning; off.
SHELL_SANDBOX = env_choice(
    "SMARTQUEUE_SHELL_SANDBOX", "auto" if DEBUG or TESTING else "required", {"auto", "required", "off"}
)
# Rows of one data-export job.
EXPORT_MAX_ROWS = env_int("SMARTQUEUE_EXPORT_MAX_ROWS", 10_000_000, minimum=1)
# Folders that programs in the sandbox may read besides /usr.
SHELL_READ_PATHS = env_list("SMARTQUEUE_SHELL_READ_PATHS")
SHELL_OUTPUT_MAX_BYTES = env_int("SMARTQUEUE_SHELL_OUTPUT_MAX_BYTES", 100_000, minimum=0)
SHELL_MEMORY_MAX_BYTES = env_int("SMARTQUEUE_SHELL_MEMORY_MAX_BYTES", 1_000_000_000, minimum=10_000_000)
# Of one file, and of all files together in the sandbox's /work and /tmp each.
SHELL_FILE_MAX_BYTES = env_int("SMARTQUEUE_SHELL_FILE_MAX_BYTES", 100_000_000, minimum=4_096)
SHELL_MAX_PROCESSES = env_int("SMARTQUEUE_SHELL_MAX_PROCESSES", 64, minimum=2)
SHELL_MAX_OPEN_FILES = env_int("SMARTQUEUE_SHELL_MAX_OPEN_FILES", 256, minimum=16)
# Between SIGTERM and SIGKILL, when a program must stop; shorter than the worker waits for its handlers.
SHELL_KILL_GRACE_SECONDS = env_seconds("SMARTQUEUE_SHELL_KILL_GRACE_SECONDS", 1.2)
# Databases that etl jobs of the organisations that may use them read from and write to, by name, as JSON:
# {"warehouse": {"url": "postgres://…", "read": true, "write": ["schema.table"]}}. Give each a role that may do no more.
CONNECTIONS = env_connections("SMARTQUEUE_CONNECTIONS")
# What the process of an etl job may take: of memory in all; on disk, when that is not enough; of a file it unpacks.
ETL_THREADS = env_int("SMARTQUEUE_ETL_THREADS", 2, minimum=1)
ETL_MEMORY_MAX_BYTES = env_int("SMARTQUEUE_ETL_MEMORY_MAX_BYTES", 450_000_000, minimum=200_000_000)
ETL_SPILL_MAX_BYTES = env_int("SMARTQUEUE_ETL_SPILL_MAX_BYTES", 2_000_000_000, minimum=0)
ETL_UNPACKED_MAX_BYTES = env_int("SMARTQUEUE_ETL_UNPACKED_MAX_BYTES", 900_000_000, minimum=1)

# --- Webhooks and mail alerts -----------------------------------------------------------------------------------
# Of each kind in one organisation.
WEBHOOKS_MAX = env_int("SMARTQUEUE_WEBHOOKS_MAX", 20, minimum=1)
MAIL_ALERTS_MAX = env_int("SMARTQUEUE_MAIL_ALERTS_MAX", 20, minimum=1)
# Of an organisation; and how often the leader looks at the rules of all.
ALERT_RULES_MAX = env_int("SMARTQUEUE_ALERT_RULES_MAX", 50, minimum=1)
ALERT_SECONDS = env_seconds("SMARTQUEUE_ALERT_SECONDS", 10, minimum=1)
# For a whole delivery: a receiver should store what it is told, answer, and act on it later.
WEBHOOK_TIMEOUT_SECONDS = env_seconds("SMARTQUEUE_WEBHOOK_TIMEOUT_SECONDS", 15, minimum=0.1)
# So much of an answer is kept for whoever looks for a fault.
WEBHOOK_BODY_MAX_BYTES = env_int("SMARTQUEUE_WEBHOOK_BODY_MAX_BYTES", 2_000, minimum=0)
# Deliveries at a time of one scheduler process, and of one webhook among them: a slow receiver takes no more.
DELIVERY_SLOTS = env_int("SMARTQUEUE_DELIVERY_SLOTS", 32, minimum=1)
WEBHOOK_SLOTS = env_int("SMARTQUEUE_WEBHOOK_SLOTS", 4, minimum=1)
DELIVERY_POLL_SECONDS = env_seconds("SMARTQUEUE_DELIVERY_POLL_SECONDS", 0.5, minimum=0.02)
DELIVERY_RETENTION_DAYS = env_int("SMARTQUEUE_DELIVERY_RETENTION_DAYS", 30, minimum=3)
# After a rotation deliveries are signed with the secret before, too, for so long.
WEBHOOK_ROTATION_HOURS = env_int("SMARTQUEUE_WEBHOOK_ROTATION_HOURS", 24, minimum=1)
# One address gets a mail no more often.
MAIL_DIGEST_SECONDS = env_seconds("SMARTQUEUE_MAIL_DIGEST_SECONDS", 60, minimum=0.1)

# --- Event stream and submission sources ------------------------------------------------------------------------
# Each change of a job's status, to Kafka and SQS: docs/event-stream.md. Only these types of events; all where none is
# named.
STREAM_EVENTS = env_events("SMARTQUEUE_STREAM_EVENTS", EVENTS)
# Events on their way at a time, at most sent again after a crash; more are quicker.
STREAM_BATCH = env_int("SMARTQUEUE_STREAM_BATCH", 500, minimum=1)
STREAM_POLL_SECONDS = env_seconds("SMARTQUEUE_STREAM_POLL_SECONDS", 0.5, minimum=0.02)
# After so long another process goes on in place of one that is gone. Longer than one call to a broker takes.
STREAM_LEASE_SECONDS = env_seconds("SMARTQUEUE_STREAM_LEASE_SECONDS", 30, minimum=1)
STREAM_KAFKA_BOOTSTRAP = kafka_bootstrap("SMARTQUEUE_STREAM_KAFKA_BOOTSTRAP")
STREAM_KAFKA_TOPIC = kafka_topic("SMARTQUEUE_STREAM_KAFKA_TOPIC", "smartqueue.jobs")
# How it is reached, as JSON: {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": …}.
STREAM_KAFKA_CONNECTION = kafka_connection("SMARTQUEUE_STREAM_KAFKA_CONNECTION")
STREAM_SQS_QUEUE_URL = sqs_queue("SMARTQUEUE_STREAM_SQS_QUEUE_URL")
# Where the queue's address does not say it.
STREAM_SQS_REGION = env_str("SMARTQUEUE_STREAM_SQS_REGION", "")
# Where jobs may come from beside the API. What comes from one acts with one key of an organisation (sq_live_…), and
# what cannot become a job goes to the topic or queue of dead letters.
SOURCE_KAFKA_BOOTSTRAP = kafka_bootstrap("SMARTQUEUE_SOURCE_KAFKA_BOOTSTRAP")
SOURCE_KAFKA_TOPIC = kafka_topic("SMARTQUEUE_SOURCE_KAFKA_TOPIC", "")
SOURCE_KAFKA_DEAD_TOPIC = kafka_topic("SMARTQUEUE_SOURCE_KAFKA_DEAD_TOPIC", "")
SOURCE_KAFKA_GROUP = env_str("SMARTQUEUE_SOURCE_KAFKA_GROUP", "smartqueue")
SOURCE_KAFKA_CONNECTION = kafka_connection("SMARTQUEUE_SOURCE_KAFKA_CONNECTION")
SOURCE_KAFKA_KEY = env_str("SMARTQUEUE_SOURCE_KAFKA_KEY", "")
SOURCE_SQS_QUEUE_URL = sqs_queue("SMARTQUEUE_SOURCE_SQS_QUEUE_URL")
SOURCE_SQS_DEAD_QUEUE_URL = sqs_queue("SMARTQUEUE_SOURCE_SQS_DEAD_QUEUE_URL")
SOURCE_SQS_REGION = env_str("SMARTQUEUE_SOURCE_SQS_REGION", "")
SOURCE_SQS_KEY = env_str("SMARTQUEUE_SOURCE_SQS_KEY", "")

# image-resize: of the image that is read. Its pixels are counted before it is decoded, which takes four bytes for each.
IMAGE_MAX_BYTES = env_int("SMARTQUEUE_IMAGE_MAX_BYTES", 25_000_000, minimum=1)
IMAGE_MAX_PIXELS = env_int("SMARTQUEUE_IMAGE_MAX_PIXELS", 25_000_000, minimum=1)
# Of an animation that is kept as one; its pixels over all frames, which are decoded one by one.
IMAGE_MAX_FRAMES = env_int("SMARTQUEUE_IMAGE_MAX_FRAMES", 1_000, minimum=1)
IMAGE_MAX_ANIMATION_PIXELS = env_int("SMARTQUEUE_IMAGE_MAX_ANIMATION_PIXELS", 250_000_000, minimum=1)

# --- Mail -------------------------------------------------------------------------------------------------------
# The server that takes it, the same for email jobs and for what we ourselves send; in development a folder.
_mail = env_mail("SMARTQUEUE_EMAIL_URL", f"file://{quote(str(state_dir() / 'mail'))}" if DEBUG or TESTING else "")
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if _mail.folder else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = _mail.folder or None
# Without a host nothing is sent, and every try says so.
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starttls, _mail.tls
# Where an organisation has no address of its own (mail_from of its job settings).
DEFAULT_FROM_EMAIL = env_str("SMARTQUEUE_EMAIL_FROM", "" if _mail.host else "SmartQueue <smartqueue@localhost>")
if "@" not in DEFAULT_FROM_EMAIL:
    raise ImproperlyConfigured("SMARTQUEUE_EMAIL_FROM must be set to the address that mail is sent from")
# For the whole talk with the server.
EMAIL_TIMEOUT = env_seconds("SMARTQUEUE_EMAIL_TIMEOUT_SECONDS", 30, minimum=0.1)
# What we call ourselves to it.
EMAIL_HELO_NAME = env_str("SMARTQUEUE_EMAIL_HELO_NAME", socket.gethostname())
# Of one job.
EMAIL_RECIPIENTS_MAX = env_int("SMARTQUEUE_EMAIL_RECIPIENTS_MAX", 50, minimum=1)
EMAIL_ATTACHMENTS_MAX = env_int("SMARTQUEUE_EMAIL_ATTACHMENTS_MAX", 10, minimum=0)
EMAIL_ATTACHMENTS_MAX_BYTES = env_int("SMARTQUEUE_EMAIL_ATTACHMENTS_MAX_BYTES", 10_000_000, minimum=0)

# --- Django -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "orgs.admin_config.PlatformAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "django_htmx",
    "django_prometheus",
    "django_tasks",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "smartqueue",
    "orgs",
    "jobs",
    "analytics",
]

MIDDLEWARE = [
    "smartqueue.http_metrics.BeforeMiddleware",
    "smartqueue.logs.CorrelationMiddleware",
    "orgs.walls.WallMiddleware",
    "orgs.rates.RateLimitMiddleware",
    "smartqueue.polls.PollMiddleware",
    "smartqueue.slashes.ApiSlashMiddleware",
    "smartqueue.errors.ProblemMiddleware",
    "smartqueue.queries.QueryMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "smartqueue.language.PageLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "smartqueue.visible.VisibleTextMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "smartqueue.http_metrics.AfterMiddleware",
]

ROOT_URLCONF = "smartqueue.urls"
WSGI_APPLICATION = "smartqueue.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orgs.scope.template_context",
                "smartqueue.environment.template_context",
            ],
        },
    },
]

DATABASES = databases()
# Of our own statements and transactions, not of tasks: none needs seconds, and what hangs holds up others.
STATEMENT_TIMEOUT_SECONDS = env_seconds("SMARTQUEUE_STATEMENT_TIMEOUT_SECONDS", 60, minimum=1)
IDLE_TRANSACTION_SECONDS = env_seconds("SMARTQUEUE_IDLE_TRANSACTION_SECONDS", 60, minimum=1)
# A server that loses what it acknowledges (fsync, full_page_writes or synchronous_commit off) is refused.
UNDURABLE_DATABASE = TESTING
# Web requests act as a role that sees one organisation (docs/tenancy.md). auto: where the database has that role, else
# with a warning; required: no request is answered without it; off.
ROW_SECURITY = env_choice("SMARTQUEUE_ROW_SECURITY", "auto", {"auto", "required", "off"})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATE_DIR = state_dir()
# Where `manage.py probe` looks; of this host alone, so not where several share STATE_DIR.
PROBE_DIR = probe_dir()
# Where attempts that work with files have a folder each, for as long as they run. Best on the disk of MEDIA_ROOT.
WORK_ROOT = env_str("SMARTQUEUE_WORK_ROOT", str(STATE_DIR / "work"))
MEDIA_ROOT = env_str("SMARTQUEUE_MEDIA_ROOT", str(STATE_DIR / "artefacts"))
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env_str("SMARTQUEUE_STATIC_ROOT", str(BASE_DIR / "staticfiles"))
# In development whitenoise serves the files where they lie; the image collects and hashes them.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING
# Where artefacts are: nothing for the folder MEDIA_ROOT, or s3://bucket?endpoint=https://…&region=…
STORAGE = env_str("SMARTQUEUE_STORAGE", "")
ARTEFACTS_IN_S3 = bool(STORAGE)
STORAGES = {
    "default": artefact_storage(STORAGE),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# A form's file is read by the page that takes files, and by no other.
FILE_UPLOAD_HANDLERS = ["smartqueue.uploads.NoFiles"]

AUTH_USER_MODEL = "orgs.User"
CSRF_FAILURE_VIEW = "smartqueue.errors.csrf_failure"
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if TESTING
    else [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
# Of the pages; the API speaks English.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# A badge on every page that says which deployment this is, so that nobody takes production for another.
ENVIRONMENT = env_str("SMARTQUEUE_ENVIRONMENT", "development" if DEBUG else "")
ENVIRONMENT_COLOUR = env_choice("SMARTQUEUE_ENVIRONMENT_COLOUR", "grey", {"grey", "green", "amber", "red"})

# A megabyte of body; a single payload is held to PAYLOAD_MAX_BYTES, a bulk call has many.
DATA_UPLOAD_MAX_MEMORY_SIZE = env_int("SMARTQUEUE_BODY_MAX_BYTES", 12_000_000, minimum=1_000)

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# Asked for from within, past what ends TLS: by probes and by Prometheus.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "x-org", "x-correlation-id", "if-none-match", "prefer"]
CORS_EXPOSE_HEADERS = ["X-Correlation-ID", "Location", "Link", "ETag", "Retry-After", "Idempotent-Replayed"]
CORS_EXPOSE_HEADERS += ["RateLimit", "RateLimit-Policy", "Preference-Applied"]

# --- API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orgs.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["orgs.permissions.MayAct"],
    "DEFAULT_THROTTLE_CLASSES": ["orgs.throttle.Throttle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["smartqueue.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "smartqueue.openapi.Schema",
    "EXCEPTION_HANDLER": "smartqueue.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": False,
    # In UTC, always with microseconds, so that times also sort as text.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=env_seconds("SMARTQUEUE_ACCESS_TOKEN_SECONDS", 300, minimum=1)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env_int("SMARTQUEUE_REFRESH_TOKEN_DAYS", 14, minimum=1)),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    # A password change ends the tokens given out before it.
    "CHECK_REVOKE_TOKEN": True,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUDIENCE": "smartqueue",
    "ISSUER": "smartqueue",
    "LEEWAY": 0,
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SmartQueue",
    "DESCRIPTION": "Jobs for many tenants on PostgreSQL, ordered by how long they will take.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "smartqueue.openapi.add_components",
    ],
    "TAGS": [
        {"name": "auth", "description": "Accounts and tokens."},
        {"name": "jobs", "description": "Submit, look, cancel, replay."},
        {"name": "artefacts", "description": "Files for jobs to read, and those that jobs made."},
        {"name": "batches", "description": "Jobs that belong together, counted, with a callback."},
        {"name": "bulk-operations", "description": "Acts over many jobs at once, and what became of each."},
        {"name": "dead-letters", "description": "Jobs that failed for good."},
        {"name": "errors", "description": "Failed attempts that say the same, together."},
        {"name": "job-views", "description": "Filters of the list of jobs under a name."},
        {"name": "queues", "description": "Named streams of jobs, which can be paused."},
        {"name": "job-types", "description": "What can be submitted."},
        {"name": "schedules", "description": "Jobs that are submitted again and again, by cron."},
        {"name": "limits", "description": "How many jobs at a time, and how many starts in a time."},
        {"name": "alert-rules", "description": "What an organisation is to be warned of."},
        {"name": "alerts", "description": "What it was warned of, since when, and until when."},
        {"name": "pauses", "description": "Kinds of jobs, and the whole organisation, that start nothing."},
        {"name": "webhooks", "description": "Who is told how jobs end, signed, and what was delivered."},
        {"name": "mail-alerts", "description": "Addresses that are told how jobs end."},
        {"name": "secrets", "description": "Values that payloads refer to, and that nobody is shown."},
        {"name": "predict", "description": "How long a job will take, and how that is known."},
        {"name": "classifier", "description": "What jobs are about, and how that is known."},
        {"name": "tasks", "description": "Jobs in the words of older clients."},
        {"name": "analytics", "description": "How the jobs, the queues and the workers do."},
        {"name": "orgs", "description": "Organisations and their members."},
        {"name": "audit", "description": "Who did what, from where."},
        {"name": "invitations", "description": "Invitations to you."},
        {"name": "worker", "description": "For your own workers, with a key: claim, renew, finish."},
        {"name": "keys", "description": "Keys by which programs act in your organisation."},
        {"name": "worker-keys", "description": "Keys of your own workers."},
        {"name": "platform", "description": "For platform admins."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "Status": "jobs.api.serializers.STATUSES",
        "StatusWord": "jobs.api.filters.STATUS_WORDS",
        "CompatibleStatus": "jobs.api.serializers.COMPATIBLE_STATUSES",
        "CompatibleStatusWord": "jobs.api.filters.COMPATIBLE_WORDS",
        "Outcome": "jobs.api.serializers.OUTCOMES",
        "Urgency": "jobs.api.serializers.URGENCIES",
        "PredictionSource": "jobs.api.serializers.SOURCES",
        "ClassificationSource": "jobs.api.serializers.CLASSIFIED_BY",
        "BulkStatus": "jobs.api.shapes.BULK_STATUSES",
        "BulkKind": "jobs.api.bulk_operations.KIND_WORDS",
        "BulkState": "jobs.api.bulk_operations.STATE_WORDS",
        "BulkJobOutcomeWord": "jobs.api.bulk_operations.OUTCOME_WORDS",
        "Condition": "jobs.api.serializers.CONDITIONS",
        "AlertKind": "jobs.api.alerts.KINDS",
        "DeliveryStatus": "jobs.models.Delivery.STATES",
        "OrgState": "orgs.api.serializers.STATES",
        "InvitationState": "orgs.models.Invitation.STATES",
        "ModelState": "jobs.learning.STATES",
        "Role": "orgs.api.serializers.ROLES",
        "KeyRole": "orgs.api.keys.KEY_ROLES",
        "RoleWord": "orgs.api.serializers.ROLE_WORDS",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
}

# --- Metrics and logs -------------------------------------------------------------------------------------------
# Whoever scrapes /metrics sends it as a bearer token; without one only loopback may ask.
METRICS_TOKEN = env_str("SMARTQUEUE_METRICS_TOKEN", "")
# Where a worker, a scheduler and a watchdog answer scrapes about themselves; 0: nowhere.
METRICS_PORT = env_int("METRICS_PORT", 0)
METRICS_HOST = env_str("METRICS_HOST", "127.0.0.1")
# Where the processes of a web put what they have counted of HTTP, so that each can tell what all of them have: a folder
# that is emptied before they start. prometheus_client reads the variable itself.
PROMETHEUS_MULTIPROC_DIR = env_str("PROMETHEUS_MULTIPROC_DIR", "")
PROMETHEUS_EXPORT_MIGRATIONS = False
LOG_FORMAT = env_str("SMARTQUEUE_LOG_FORMAT", "console" if DEBUG else "json")
LOG_LEVEL = env_str("SMARTQUEUE_LOG_LEVEL", "INFO")
LOGGING_CONFIG = "smartqueue.logs.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
