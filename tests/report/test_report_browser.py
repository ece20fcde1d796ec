from dataclasses import replace
from urllib.parse import urlparse

import pytest
from searches import judged, search

from archsearch.report import write_report

PHONE = 390


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    snapshot = search()
    long = replace(snapshot.trials[0], name="a-name-that-goes-on-" * 8)
    snapshot = replace(
        snapshot, trials=(long, *snapshot.trials[1:]), command="archsearch run " + "very/" * 40 + "long.yaml"
    )
    return write_report(*judged(snapshot), tmp_path_factory.mktemp("browser") / "report.html")


@pytest.fixture
def opened(chromium, report):
    """Opens the report, and at the end finds that it asked for nothing and complained of nothing."""
    pages, requests, complaints = [], [], []

    def open_page(width=1280, **options):
        page = chromium.new_page(viewport={"width": width, "height": 800}, **options)
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(report.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert complaints == []
    assert [urlparse(url).path for url in requests] == [report.as_posix()] * len(pages)


def test_ranking_and_curves_are_visible(opened):
    page = opened()
    assert page.locator("#ranking tbody tr").first.is_visible()
    assert page.locator("#figures svg.plot").count() == 8
    assert page.locator("#trials .card svg.curves").count() == 24
    box = page.locator("#trials .card svg.curves path.v").first.bounding_box()
    assert box["width"] > 100


@pytest.mark.parametrize("width", [320, PHONE, 700, 1000, 1280])
def test_nothing_overflows(opened, width):
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_first_of_the_ranking_keeps_clear_of_its_box(opened):
    page = opened(PHONE)
    row = page.locator("#ranking tr.first").bounding_box()
    heading = page.locator("#ranking tr.first th").bounding_box()
    assert heading["x"] + heading["width"] <= row["x"] + row["width"] - 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_background_follows_the_scheme_and_text_stands_out(opened, scheme):
    page = opened(color_scheme=scheme)
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    brightness = [sum(map(int, colour[4:-1].split(","))) / 3 for colour in (paper, ink)]
    assert (brightness[0] < 60) == (scheme == "dark")
    assert abs(brightness[0] - brightness[1]) > 150


def test_the_filter_shows_one_verdict_and_a_link_finds_a_hidden_card(opened):
    page = opened()
    page.select_option("select[name=verdict]", "overfit")
    visible = page.locator("#trials .card:visible")
    assert {card.get_attribute("data-verdict") for card in visible.all()} == {"overfit"}
    page.locator("#ranking a.more").first.click()
    page.wait_for_function("document.querySelectorAll('#trials .card[hidden]').length === 0")


def test_without_script_everything_is_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("#trials .card:visible").count() == 24
    assert page.locator("#filter").is_hidden()


def test_print_is_light_and_unfolded(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
