"""The state machine."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.states import COMPATIBLE, LEGAL_MOVES, STORED, TERMINAL, Status, is_legal, parse

sources = st.sampled_from([None, *Status])
statuses = st.sampled_from(list(Status))


def test_every_status_has_its_moves_named() -> None:
    assert set(LEGAL_MOVES) == {None, *Status}


def test_running_is_the_one_status_that_is_not_stored() -> None:
    assert set(Status) - STORED == {Status.RUNNING}


@given(st.lists(statuses, max_size=12))
def test_a_job_that_is_done_or_cancelled_never_moves_again(moves: list[Status]) -> None:
    path: list[Status | None] = [None]
    for move in moves:
        if is_legal(path[-1], move):
            path.append(move)

    for ended in (Status.DONE, Status.CANCELLED):
        assert ended not in path or path[-1] is ended
    # A dead letter leaves only by replay.
    assert all(after is Status.QUEUED for before, after in pairwise(path) if before is Status.FAILED)


@given(sources)
def test_no_job_begins_at_its_end_or_runs_without_being_queued(source: Status | None) -> None:
    assert not is_legal(None, Status.DONE)
    assert is_legal(source, Status.RUNNING) == (source is Status.QUEUED)


def test_only_the_dead_letter_comes_back_from_the_end() -> None:
    assert {status for status in TERMINAL if LEGAL_MOVES[status]} == {Status.FAILED}


@pytest.mark.parametrize("word", [*Status, *COMPATIBLE])
def test_own_and_compatible_words_are_understood(word: str) -> None:
    assert all(isinstance(status, Status) for status in parse(word))


@pytest.mark.parametrize("word", ["", "Done", "pending", "RUNNING", "done "])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError):
        parse(word)
