import subprocess
import sys
from pathlib import Path

from predictor.words import slots

ROOT = Path(__file__).parents[2]


def test_words_of_a_name_are_shared_and_numbers_are_one_word() -> None:
    one, two = (slots("http", name, "ada") for name in ("Sync 17", "sync-99"))

    assert one[2] != two[2]
    assert one[3:] == two[3:]


def test_type_user_and_name_of_the_same_word_differ() -> None:
    assert len(set(slots("ada", "ada", "ada")[:4])) == 4


def test_hashes_do_not_change_between_processes() -> None:
    asked = "from predictor.words import stable_hash; print(stable_hash('type', 'http'))"

    answers = {
        int(
            subprocess.run(
                [sys.executable, "-c", asked], env={"PYTHONHASHSEED": seed}, cwd=ROOT, check=True, capture_output=True
            ).stdout
        )
        for seed in ("1", "2")
    }

    # The number itself is in stored weights: when it changes, so must weights.FORMAT_VERSION.
    assert answers == {16190622212870821868}
