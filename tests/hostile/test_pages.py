"""Whatever stands in the database, every page shows it as text: no element, attribute or address more than without."""

import pytest

from tests.hostile.columns import OURS, UNSEEN, name_of, overwrite, text_columns
from tests.hostile.looking import pages_of, shape
from tests.hostile.rows import Filled
from tests.hostile.texts import HARMLESS, HOSTILE, LONGEST
from tests.rights.walk import undone

pytestmark = pytest.mark.django_db


def test_text_in_any_column_is_text_on_every_page(filled: Filled) -> None:
    with undone():
        overwrite(HARMLESS)
        harmless = {asked: shape(page) for asked, page in pages_of(filled).items()}
    assert len(harmless) > 50
    for name, text in HOSTILE.items():
        with undone():
            overwrite(text)

            hostile = {asked: shape(page) for asked, page in pages_of(filled, harmless).items()}

        assert [asked for asked in harmless if hostile.get(asked) != harmless[asked]] == [], name


def test_every_column_of_text_is_written_to(filled: Filled) -> None:
    """A new one is by being there; one that no row of ours has says why."""
    with undone():
        taken, refused = overwrite(HARMLESS)

    columns = {name_of(field) for field in text_columns()}
    unseen = {column for column in columns if column[0] in UNSEEN}
    assert columns - taken - set(refused) - unseen == set(OURS)
    assert [one for one in refused.items() if "constraint" not in one[1]] == []
    assert {("jobs_job", "title"), ("jobs_logline", "text"), ("orgs_org", "name"), ("jobs_artefact", "name")} <= taken
    assert {("orgs_auditentry", "target"), ("jobs_workerprocess", "hostname"), ("jobs_queue", "pause_reason")} <= taken
    assert len(taken) > 80
    assert max(map(len, HOSTILE.values())) <= LONGEST
