import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predictor import weights
from predictor.runtime import RuntimeModel
from predictor.train import examples_from_log, train
from predictor.weights import FORMAT_VERSION, MAGIC, WeightsError, dump, load
from tests.predictor.factories import make_log

EXAMPLES = examples_from_log(make_log(200))
MODEL: RuntimeModel = train(EXAMPLES, epochs=1).model
WHOLE = dump(MODEL)
HEADER_BYTES = len(MAGIC) + 2 + 32


def sealed(body: bytes, version: int = FORMAT_VERSION) -> bytes:
    """A body under a right header, as someone who knows the format could write it."""
    return MAGIC + version.to_bytes(2, "big") + hashlib.sha256(body).digest() + body


def resealed(change: Callable[[dict[str, Any]], None], **options: Any) -> bytes:
    arrays = dict(np.load(io.BytesIO(WHOLE[HEADER_BYTES:])))
    change(arrays)
    body = io.BytesIO()
    np.savez(body, **arrays)
    return sealed(body.getvalue(), **options)


def replaced(name: str, change: Callable[[Any], Any]) -> bytes:
    return resealed(lambda arrays: arrays.update({name: change(arrays[name])}))


def with_nan(array: Any) -> Any:
    array.flat[0] = np.nan
    return array


def test_a_model_comes_back_as_it_was() -> None:
    again = load(WHOLE)
    submissions = [example.submission for example in EXAMPLES]

    assert again.predict(submissions) == MODEL.predict(submissions)
    assert dump(again) == WHOLE


def test_loaded_arrays_are_read_only() -> None:
    model = load(WHOLE)

    with pytest.raises(ValueError, match="read-only"):
        model.params["w_head"][0, 0] = 1.0
    assert not model.guard.shares.flags.writeable


BROKEN = {
    "empty": b"",
    "header only": WHOLE[:HEADER_BYTES],
    "cut in the header": WHOLE[:20],
    "cut in the archive": WHOLE[:-100],
    "one bit flipped": WHOLE[:5000] + bytes([WHOLE[5000] ^ 1]) + WHOLE[5001:],
    "something else": b"\x89PNG" + bytes(4000),
    "a later version": WHOLE[: len(MAGIC)] + b"\x00\x63" + WHOLE[len(MAGIC) + 2 :],
    "no archive": sealed(b"not a zip"),
    "an archive cut and sealed": sealed(WHOLE[HEADER_BYTES:-100]),
    "damage under a right checksum": sealed(WHOLE[HEADER_BYTES:5000] + bytes(64) + WHOLE[5064:]),
    "a pickle inside": replaced("params.b_out", lambda _: np.array([{"a": 1}], dtype=object)),
    "an array missing": resealed(lambda arrays: arrays.pop("params.lstm.w0")),
    "the guard missing": resealed(lambda arrays: arrays.pop("shares")),
    "an array too many": resealed(lambda arrays: arrays.update(more=np.zeros(1))),
    "a wrong shape": replaced("params.w_out", lambda array: array.T),
    "a wrong type": replaced("params.w_head", lambda array: array.astype(np.float64)),
    "NaN weights": replaced("params.lstm.w1", with_nan),
    "NaN shares": replaced("shares", with_nan),
    "a weight far too large": replaced("params.w_head", lambda array: array * np.float32(1e12)),
    "shares above one": replaced("shares", lambda array: array + 2.0),
    "a negative share": replaced("shares", lambda array: array * 3.0 - 0.5),
    "a range turned around": replaced("widths", lambda array: -array),
    "slack far out": replaced("slack", lambda array: array + 100.0),
    "a tree asks about no column": replaced("columns", lambda array: array + np.int16(500)),
    "fewer values than trees": replaced("values", lambda array: array[1:]),
    "NaN thresholds": replaced("thresholds", with_nan),
    "no moment": replaced("learned_until", lambda array: array * np.nan),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_weights_are_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        load(data)


def test_an_archive_that_unpacks_too_large_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "_FORMAT", weights._FORMAT._replace(largest_bytes=1000))

    with pytest.raises(WeightsError, match="too large"):
        load(WHOLE)
