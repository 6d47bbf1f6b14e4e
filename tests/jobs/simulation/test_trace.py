"""What a trace may be, and what is said of a file that is none."""

from pathlib import Path

import pytest

from jobs.simulation.trace import TraceError, read
from tests.jobs.simulation.traces import HEADER, trace, write


def test_a_trace_begins_at_zero_and_remembers_when_that_was(tmp_path: Path) -> None:
    found = read(write(tmp_path, "100,5,a,k,3,60", "160.5,0.5,b,k,,"))

    assert found.starts_at == 100
    assert [(row.submit_s, row.runtime_s, row.size, row.requested_s) for row in found.rows] == [
        (0, 5, 3, 60),
        (60.5, 0.5, 0, None),
    ]


def test_size_and_requested_need_not_be_there_and_the_file_need_not_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("submit_s,runtime_s,tenant,kind\n1,2,a,k\n")

    assert read(path).rows[0].kind == "k"


def test_a_load_moves_arrivals_and_nothing_else() -> None:
    made = trace((0, 10), (10, 30), (20, 40))

    moved = made.at_load(0.5, 2)

    assert made.load(2) == pytest.approx(2.0)
    assert moved.load(2) == pytest.approx(0.5)
    assert [row.submit_s for row in moved.rows] == pytest.approx([0, 40, 80])
    assert [row.runtime_s for row in moved.rows] == [10, 30, 40]


def test_jobs_of_one_moment_have_no_load_to_set() -> None:
    with pytest.raises(TraceError, match="one moment"):
        trace((5, 1), (5, 1)).at_load(0.9, 1)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "holds no jobs"),
        (["5,1,a,k,,", "4,1,a,k,,"], "line 3 was submitted before"),
        (["5,-1,a,k,,"], "line 2: runtime_s is -1"),
        (["5,0,a,k,,"], "line 2: runtime_s is 0"),
        (["nan,1,a,k,,"], "line 2: submit_s is 'nan'"),
        (["5,inf,a,k,,"], "line 2: runtime_s is 'inf'"),
        (["5,soon,a,k,,"], "line 2: runtime_s is 'soon'"),
        (["5,1,a,k,-3,"], "line 2: size and requested_s may not be negative"),
        (["5,1,a"], "line 2 has another number of fields"),
        (["5,1,a,k,,,9"], "line 2 has another number of fields"),
    ],
)
def test_a_bad_row_is_told_by_its_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(TraceError, match=words) as error:
        read(write(tmp_path, *lines))

    assert "\n" not in str(error.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="lacks the columns runtime_s, kind"):
        read(write(tmp_path, "1,a", header="submit_s,tenant"))


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08 torn", (HEADER + "\n1,1,a,k,,\n").encode(), b"\xff\xfe"])
def test_what_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(content)

    with pytest.raises(TraceError, match="cannot be read"):
        read(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"")

    with pytest.raises(TraceError, match="is empty"):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        read(tmp_path / "none.csv.gz")
