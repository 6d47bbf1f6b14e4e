"""The state folder and its secrets."""

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from smartqueue import state
from smartqueue.state import StateError, locked, prepare, secret, state_dir, write_private


def test_a_secret_is_made_once_and_kept_closed_to_others(tmp_path: Path) -> None:
    first = secret("key", tmp_path / "state")

    assert secret("key", tmp_path / "state") == first
    assert len(first) >= 48
    assert stat.S_IMODE((tmp_path / "state" / "secrets.json").stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_a_secret(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = set(pool.map(secret, ["key"] * 8, [tmp_path / "state"] * 8))

    assert len(found) == 1


def test_damaged_secrets_are_said_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")

    with pytest.raises(RuntimeError, match="damaged"):
        secret("key", tmp_path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    write_private(path, json.dumps({"pid": 1}))
    write_private(path, json.dumps({"pid": 2}))

    assert json.loads(path.read_text()) == {"pid": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["up.json"]


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
        pass


def test_a_path_that_is_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match="Set SMARTQUEUE_STATE_DIR"):
        prepare(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SMARTQUEUE_STATE_DIR": "/srv/my state"}, "/srv/my state"),
        ({"XDG_STATE_HOME": "{tmp}/xdg"}, "{tmp}/xdg/smartqueue"),
        ({"HOME": "{tmp}"}, "{tmp}/.local/state/smartqueue"),
    ],
)
def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("SMARTQUEUE_STATE_DIR", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))

    assert str(state_dir()) == expected.format(tmp=tmp_path)


def test_without_a_home_it_lies_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(state, "writable", lambda path: False)
    monkeypatch.delenv("SMARTQUEUE_STATE_DIR")

    assert state_dir().name == "smartqueue-1000"
