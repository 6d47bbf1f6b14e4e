"""What a worker understands of the processes of its isolated attempts, and what it does not."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.handlers import registry
from jobs.handlers.base import Done, Fail, Input, Retry
from jobs.processes.children import ChildRun, answer_of
from jobs.processes.wire import Garbled, Lines, line, line_max_bytes
from tests.jobs.handlers.fakes import Reported, make_context

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
words = st.dictionaries(st.sampled_from(["log", "progress", "done", "exit"]), JSON, min_size=1, max_size=2)
files = st.binary(max_size=300)
said = st.lists(st.tuples(words, st.just(b"")) | st.tuples(st.none(), files), max_size=8)


@given(said=said, cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_words_and_files_arrive_whole_however_they_are_cut(
    said: list[tuple[dict[str, Any] | None, bytes]], cuts: list[int]
) -> None:
    sent = [(word or {"artefact": ["name", "type", len(data)]}, data) for word, data in said]
    stream = b"".join(line(word) + data for word, data in sent)
    heard: list[tuple[dict[str, Any], bytes]] = []
    ours, theirs = socket.socketpair()
    with ours:
        lines = Lines(ours, lambda word, data: heard.append((word, data)))
        with theirs:
            for number in range(len(stream)):
                size = cuts[number % len(cuts)]
                if not stream:
                    break
                theirs.sendall(stream[:size])
                stream = stream[size:]
                assert lines.read()
        assert not lines.read()

    assert heard == sent


@pytest.mark.parametrize(
    "stream",
    [
        b"no JSON\n",
        b"[1]\n",
        b'"text"\n',
        b"\n",
        b'{"artefact": ["a", "b", -1]}\n',
        b'{"artefact": ["a", "b", 100000000000]}\n',
        b'{"artefact": ["a", "b"]}\n',
        b'{"artefact": ["a", "b", true]}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
    ],
    ids=lambda stream: repr(stream[:24]),
)
def test_what_is_not_understood_is_refused(stream: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = Lines(ours, lambda word, data: None)
        theirs.sendall(stream)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(Garbled):
            until_the_end(lines)


def until_the_end(lines: Lines) -> None:
    while lines.read():
        pass


def test_a_line_that_does_not_end_is_refused() -> None:
    with socket.socket() as unused:
        lines = Lines(unused, lambda word, data: None)
        lines.buffer = bytearray(b"x" * (line_max_bytes() + 1))

        with pytest.raises(Garbled):
            lines.take()


def test_answers_are_told_apart() -> None:
    assert answer_of({"done": {"a": 1}}) == Done({"a": 1})
    assert answer_of({"retry": ["why", None, "Kind", None]}) == Retry("why", None, "Kind", None)
    assert answer_of({"retry": ["why", 2.5, "Kind", 1]}) == Retry("why", 2.5, "Kind", 1)
    assert answer_of({"fail": ["why", "Kind", None]}) == Fail("why", "Kind", None)


@pytest.mark.parametrize(
    "word",
    [{}, {"failed": 1}, {"retry": ["why"]}, {"retry": [1, None, "Kind", None]}, {"fail": "why"}, {"minder": "1"}],
)
def test_other_answers_are_refused(word: dict[str, Any]) -> None:
    with pytest.raises(Garbled):
        answer_of(word)


@pytest.mark.parametrize(
    "word",
    [
        {"enqueue": [{"type": "http", "payload": {"url": "https://example.com/"}}, "k"]},
        {"copy_artefact": ["01900000-0000-7000-8000-000000000001", "in"]},
    ],
)
@pytest.mark.parametrize("confined", [True, False])
def test_a_confined_process_submits_no_jobs_and_asks_for_no_files(
    word: dict[str, Any], confined: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has taken it over would else send by a job what he has read."""
    asked: list[Any] = []

    class Asked(Reported):
        def enqueue(self, what: Any, key: str, *, borrowed: bool = False) -> str:
            asked.append(what)
            return "id"

        def copy_artefact(self, artefact_id: str, to: Path) -> Input:
            asked.append(artefact_id)
            return Input(to, "name", "a/b")

    handler = registry.get("python")
    monkeypatch.setattr(handler, "is_confined", lambda payload: confined)
    context = make_context("python", {}, folder=tmp_path, reporter=Asked())
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for _ in range(2) for one in socket.socketpair()]
        files = [stack.enter_context((tmp_path / name).open("wb+")) for name in ("stdout", "stderr")]
        monkeypatch.setattr("jobs.processes.children.selectors.DefaultSelector", lambda: MagicMock())
        run = ChildRun(context, handler, sockets[0], sockets[2], *files, hidden=[])
        if confined:
            with pytest.raises(Garbled):
                run.told(word, b"")
        else:
            run.told(word, b"")

    assert bool(asked) is not confined
