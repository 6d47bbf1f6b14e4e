"""Why a job is filed where it is, as its page tells it; the form that corrects it; the page of the classifier."""

import pytest

from jobs.models import ClassifierVersion, Job
from jobs.queue.classify import classify_some
from tests.conftest import World
from tests.factories import browser, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

TITLE = "Database timeout: primary pool exhausted"


def panel(world: World, job: Job) -> Element:
    page = read(browser(world.operator).get(f"/jobs/{job.pk}/"))
    return page.one("section", aria_labelledby="why-title")


def test_it_says_what_was_told_how_sure_and_by_what(world: World) -> None:
    job = make_job(world.org, title=TITLE)
    classify_some()
    job.refresh_from_db()
    assert job.classification is not None

    text = panel(world, job).text

    assert "Database" in text
    assert "high" in text
    assert f"{job.classification['confidence'] * 100:.0f} %" in text
    assert job.classification["action"] in text
    for word in job.classification["words"]:
        assert word in text


def test_it_says_why_nothing_was_told(world: World) -> None:
    assert "no title and no description" in panel(world, make_job(world.org)).text
    assert "read in a moment" in panel(world, make_job(world.org, title=TITLE)).text
    given = make_job(world.org, title=TITLE, category="Network", urgency="low")
    assert "As its submitter said" in panel(world, given).text


def test_it_says_what_the_submitter_said_and_what_came_too_late(world: World) -> None:
    job = make_job(world.org, title=TITLE, category="Network")
    classify_some()
    Job.objects.filter(pk=job.pk).update(urgency="medium")

    text = panel(world, job).text

    assert "Its submitter said Network, which holds." in text
    assert "it stays medium" in text


def test_the_form_corrects_it_without_a_script(world: World) -> None:
    job = make_job(world.org, title=TITLE)
    form = panel(world, job).one("form")
    client = browser(world.operator)

    response = client.post(form.attributes["action"], {"category": "Network", "urgency": ""}, follow=True)

    assert "Corrected." in response.content.decode()
    job.refresh_from_db()
    assert (job.category, job.urgency) == ("Network", "medium")
    assert "a person" in panel(world, job).text


def test_a_form_without_an_answer_changes_nothing(world: World) -> None:
    job = make_job(world.org, title=TITLE)

    response = browser(world.operator).post(f"/jobs/{job.pk}/classification/", {}, follow=True)

    assert "Not corrected." in response.content.decode()
    job.refresh_from_db()
    assert job.classification is None


def test_who_only_reads_is_offered_no_form(world: World) -> None:
    job = make_job(world.org, title=TITLE)

    page = read(browser(world.viewer).get(f"/jobs/{job.pk}/"))

    assert not page.one("section", aria_labelledby="why-title").all("form")


def test_a_page_that_is_open_learns_of_it(world: World) -> None:
    job = make_job(world.org, title=TITLE)
    client = browser(world.operator)
    paths = [f"/jobs/{job.pk}/", "/jobs/"]
    pages = [read(client.get(path)).walk() for path in paths]
    versions = [next(filter(None, (one.attributes.get("data-version") for one in page))) for page in pages]

    def poll() -> list[int]:
        htmx = {"HX-Request": "true"}
        return [
            client.get(path, {"v": version}, headers=htmx).status_code
            for path, version in zip(paths, versions, strict=True)
        ]

    assert poll() == [204, 204]
    classify_some()
    assert poll() == [200, 200]


def test_the_list_shows_the_category_with_what_to_do(world: World) -> None:
    job = make_job(world.org, title=TITLE)
    classify_some()
    job.refresh_from_db()
    assert job.classification is not None

    row = read(browser(world.viewer).get("/jobs/")).by_id(f"job-{job.pk}")

    (category,) = [one for one in row.all("span") if one.attributes.get("title") == job.classification["action"]]
    assert category.text.startswith("Database ")


def test_a_hostile_title_is_text(world: World) -> None:
    job = make_job(world.org, title="<script>alert(1)</script> database timeout", description="<b>x</b>")
    classify_some()

    assert not panel(world, job).all("script")
    assert not panel(world, job).all("b")


# --- The page of the classifier ---------------------------------------------------------------------------------


def test_the_page_teaches_where_there_is_nothing_yet(world: World) -> None:
    text = read(browser(world.viewer).get("/classifier/")).by_id("main").text

    assert "Nothing learned yet" in text
    assert "No corrections yet" in text
    assert "Network" in text


def test_the_page_shows_versions_corrections_and_memory(world: World) -> None:
    metrics = {"held_out": 4, "correct": 0.75, "correct_before": 0.5}
    ClassifierVersion.objects.create(
        org=world.org, version=3, weights=b"", categories=[], labels=8, metrics=metrics, active=True
    )
    ClassifierVersion.objects.create(
        org=world.rival, version=77, weights=b"", categories=[], labels=8, metrics={"held_out": 0}
    )
    jobs = [make_job(world.org, title=TITLE) for _ in range(2)]
    classify_some()
    browser(world.operator).post(f"/jobs/{jobs[0].pk}/classification/", {"category": "Network"})

    page = read(browser(world.viewer).get("/classifier/"))

    row = page.by_id("version-3").text
    assert "75 % of 4" in row
    assert "50 %" in row
    assert "in use" in row
    text = page.by_id("main").text
    assert "77" not in text
    assert "From memory 1 50 %" in text
    assert "Database → Network" in page.by_id("corrections").text
    assert [cell.text for cell in page.by_id("confused").all("td", css="other")] == ["1 100 %"]


def test_an_admin_sets_the_categories_there(world: World) -> None:
    client = browser(world.owner)

    client.post("/classifier/categories/", {"categories": "Billing\r\n\r\n Reports \r\n"})

    page = read(client.get("/classifier/"))
    assert page.by_id("categories").raw == "Billing\nReports"
    world.org.refresh_from_db()
    assert world.org.job_settings["categories"] == ["Billing", "Reports"]
    select = read(client.get("/jobs/submit/")).by_id("job-category")
    assert [option.attributes["value"] for option in select.all("option")] == ["", "Billing", "Reports"]
    select = read(client.get("/jobs/")).by_id("filter-category")
    assert "Billing" in select.text


def test_a_bad_name_is_named(world: World) -> None:
    response = browser(world.owner).post("/classifier/categories/", {"categories": "One\n" + "x" * 41}, follow=True)

    assert "Nothing was changed. xxxx" in response.content.decode()
    world.org.refresh_from_db()
    assert "categories" not in world.org.job_settings
