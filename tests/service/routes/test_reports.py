"""Reports go before an admin, with the picture that they are about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nonet.service import visitors
from page_site import Visitors, visited


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    with visited(tmp_path_factory.mktemp("reports")) as site:
        yield site


@pytest.fixture(autouse=True)
def _nobody_has_reported_yet() -> None:
    visitors._limiter.cache_clear()


def test_a_report_of_one_picture(site: Visitors) -> None:
    path = site.drawn(site.browser(), "a cat")
    reader = site.browser("198.51.100.1")
    form = reader.get(f"{path}/report?picture=2").text
    assert 'value="2" checked' in form
    fields = {"picture": "2", "reason": "person", "words": "  that is\0 my <b>cat</b> "}
    assert "Thank you" in reader.post(f"{path}/report", data=fields).text
    report = next(one for one in site.site.services.jobs.reports() if one.job == path[3:])
    assert (report.picture, report.reason, report.open) == (2, "person: that is my <b>cat</b>", True)
    assert report.caller != site.site.services.jobs.get(path[3:]).caller


def test_a_report_of_the_whole_drawing(site: Visitors) -> None:
    path = site.drawn(site.browser(), "a cat")
    assert (
        "Thank you" in site.browser().post(f"{path}/report", data={"picture": "all", "reason": "hate"}).text
    )
    report = next(one for one in site.site.services.jobs.reports() if one.job == path[3:])
    assert (report.picture, report.reason) == (None, "hate")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"picture": "9"}, 404),
        ({"picture": "-1"}, 404),
        ({"picture": "x"}, 404),
        ({"reason": "boredom"}, 422),
    ],
)
def test_a_report_of_nothing_is_refused(site: Visitors, fields: dict[str, str], status: int) -> None:
    path = site.drawn(site.browser(), "a cat")
    assert site.browser().post(f"{path}/report", data=fields).status_code == status
    assert site.browser().post("/d/unknown/report", data=fields).status_code == 404


def test_one_caller_cannot_bury_an_admin_in_reports(site: Visitors) -> None:
    path = site.drawn(site.browser(), "a cat")
    answers = [site.browser("192.0.2.5").post(f"{path}/report") for _ in range(25)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
    assert int(answers[-1].headers["retry-after"]) > 60
    assert site.browser("192.0.2.6").post(f"{path}/report").status_code == 200
