# The face of SmartQueue: `make up` runs it, `make test` tests it. Both do all their own set-up.
.DEFAULT_GOAL := help
.PHONY: help up docs doctor test chaos proofs check bench bench-policy lock user reset screenshots messages
.PHONY: audit ci ci-lint ci-types ci-audit ci-tests ci-image ci-smoke

# The first Python that is new enough; bootstrap.py says so when there is none.
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
START = $(if $(PYTHON),$(PYTHON) smartqueue/bootstrap.py,$(error SmartQueue needs Python 3.11 or newer: apt-get install python3 python3-venv))

# Where these are run, secrets may come from the state folder; a deployment gives its own.
up doctor user reset: export SMARTQUEUE_DEBUG ?= 1
check messages ci-lint ci-types: export SMARTQUEUE_TESTING := 1

help: ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

up: ## Run everything: database, web, scheduler, worker, watchdog (PORT=8000 DEMO=1)
	@exec $(START) run -m smartqueue

test: ## Run every test (ARGS="-k name" for some)
	@exec $(START) dev -m tests $(ARGS)

messages: ## Bring locale/ up to date with the pages and compile it (needs gettext)
	@$(START) dev manage.py makemessages -l de --no-obsolete --no-location --ignore .venv --ignore tests --ignore bench --ignore clients
	@$(START) dev manage.py compilemessages -l de --ignore .venv

screenshots: ## A picture of each page, into docs/screenshots/ (needs Chromium; ARGS="jobs" for some)
	@exec $(START) dev -m tests.screenshots $(ARGS)

chaos: ## A whole deployment under load and faults: SECONDS=600 SEED=1
	@exec $(START) dev -m tests.chaos --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1) $(ARGS)

proofs: export SMARTQUEUE_PROOFS := $(CURDIR)/bench/results/proofs.json
proofs: ## Every fault as often as docs/reliability.md says, an hour; writes bench/results/proofs.json
	@rm -f $(SMARTQUEUE_PROOFS)
	@exec $(START) dev -m tests -n 0 $(or $(ARGS),tests/scenarios tests/jobs/handlers/test_shell_limits.py tests/jobs/queue/test_any_graph.py)

check: ## Formatting, lint, types, Django's checks, missing migrations
	@$(START) dev -m ruff format --check --quiet .
	@$(START) dev -m ruff check --quiet .
	@$(START) dev -m mypy
	@$(START) dev manage.py check
	@$(START) dev -W ignore manage.py makemigrations --check --dry-run

audit: ## Known weaknesses of the packages in the lock files (asks PyPI)
	@exec $(START) dev deploy/audit.py $(ARGS)

# As .github/workflows/ci.yml: each step of one is a step of the other, and a test holds them to it.
CI_STEPS := lint types audit tests image smoke
ENGINE := $(shell docker info >/dev/null 2>&1 && echo docker)
# An image is also made where there is only buildah, which runs nothing.
BUILDER := $(if $(ENGINE),docker build,$(shell command -v buildah >/dev/null && echo buildah bud --layers))

ci: ## All that CI does, as far as it can be done here: one Python, one PostgreSQL, an image where there is an engine
	@for step in $(CI_STEPS); do echo "== $$step"; $(MAKE) --no-print-directory ci-$$step || exit 1; done
	@echo "Left out: the other versions of Python and PostgreSQL$(if $(ENGINE),, and what needs a container engine: image and smoke)."

ci-lint:
	@$(START) dev -m ruff format --check --quiet .
	@$(START) dev -m ruff check --quiet .

ci-types:
	@$(START) dev -m mypy
	@$(START) dev manage.py check
	@$(START) dev -W ignore manage.py makemigrations --check --dry-run

ci-audit: audit

ci-tests: test

# Without an engine: its rules, and what it runs, in a sandbox (tests/deploy, which `tests` has run already).
ci-image:
	@$(if $(BUILDER),$(BUILDER) --build-arg REVISION=$$(git rev-parse HEAD) -t smartqueue .,echo "LEFT OUT: no container engine")

ci-smoke:
	@$(if $(ENGINE),sh deploy/smoke.sh,echo "LEFT OUT: no container engine")

bench: ## Measure beside other queues, half an hour; ARGS=ours alone, at scale; writes bench/results/
	@exec $(START) dev -m bench $(ARGS)

bench-policy: ## Predictions, order and classes, an hour; SMARTQUEUE_TRACES, SMARTQUEUE_TICKETS: folders of *.csv.gz
	@exec $(START) dev -m bench policy

lock: ## Compile the lock files, with hashes, from the *.in files
	@$(START) dev -c ""
	@for name in requirements requirements-ml requirements-s3 requirements-kafka requirements-otel requirements-dev requirements-docs bench/requirements-peers; do \
		uv=$$(command -v uv || echo .venv/bin/uv); \
		$$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--custom-compile-command "make lock" $$name.in -o $$name.txt || exit 1; done

docs: export NO_MKDOCS_2_WARNING := 1
docs: ## The documentation as a site, into site/: links are checked, the reference is made anew
	@$(START) dev -m mkdocs build --strict --quiet -f deploy/docs/mkdocs.yml
	@echo "site/index.html"

doctor: ## What is wrong with this deployment, and how to mend it
	@exec $(START) run manage.py doctor

user: ## Make a platform admin of your own
	@exec $(START) run manage.py createsuperuser

reset: ## Remove the state folder: database, logs, secrets (asks first)
	@exec $(START) run manage.py reset
