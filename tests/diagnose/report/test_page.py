"""The page in a real browser: quiet, alone, as wide as the screen, to be read by all, and inert."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.diagnose.report import html
from spkit.diagnose.report.shown import visible
from tests.diagnose.report.browser import SCHEMES, WIDTHS, NoBrowser, chromium
from tests.diagnose.report.made import FINDINGS, HOSTILE, MADE, diagnosis, evidence
from tests.diagnose.report.pages import write_pages

SMALLEST = 9  # pixels of a label in a figure
CONTRAST = 4.5  # of text, WCAG 2.2 level AA
OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"
TEXTS = "h1, h2, h3, h4, p, li, dt, dd, summary, td, pre, code, figcaption, .unit, .role, svg text"
# contrast of every text with what is behind it, as WCAG 2.2 defines it
CONTRASTS = """texts => {
  const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = one => { for (; one; one = one.parentElement) {
    const c = rgb(getComputedStyle(one).backgroundColor);
    if (c.length < 4 || c[3]) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll(texts)].map(one => {
    const style = getComputedStyle(one), pair = [rgb(one.closest('svg') ? style.fill : style.color), behind(one)];
    const [a, b] = pair.map(light).sort((x, y) => y - x);
    return [(a + .05) / (b + .05), one.tagName + ' ' + one.textContent.trim().slice(0, 40)]; });
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator:
    try:
        with chromium() as launched:
            yield launched
    except NoBrowser as error:
        pytest.skip(str(error))


class Opened:
    """A page that is open, and all that it said and asked for."""

    def __init__(self, browser, path: Path, **settings) -> None:
        self.said, self.asked = [], []
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.context.close()

    def value(self, script: str, *arguments):
        return self.page.evaluate(script, *arguments)


NAMES = [*MADE, "planted-reward-hacking", "planted-collapse"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_quiet_alone_as_wide_as_the_screen_and_legible(browser, pages, name, width, scheme):
    path = pages / f"{name}.html"
    with Opened(browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme) as opened:
        assert opened.value("document.documentElement.scrollWidth <= innerWidth")
        opened.value(OPEN)
        assert opened.value("document.documentElement.scrollWidth <= innerWidth"), "with everything unfolded"
        wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        assert opened.value(f"{wide}.filter(e => !e.closest('pre')).map(e => e.outerHTML.slice(0, 80))") == []
        unnamed = "figure > svg:not([role=img][aria-label]), figure > svg[aria-label='']"
        assert opened.value(f"document.querySelectorAll({unnamed!r}).length") == 0
        small = "[...document.querySelectorAll('figure > svg text')].map(e => e.getBoundingClientRect().height)"
        assert min(opened.value(small), default=SMALLEST) >= SMALLEST
        assert [pair for pair in opened.value(CONTRASTS, TEXTS) if pair[0] < CONTRAST] == []
        assert opened.said == [] and set(opened.asked) <= {path.as_uri(), "data:,"}


def test_the_schemes_differ_and_nothing_needs_a_script(browser, pages):
    colours = []
    for scheme in SCHEMES:
        with Opened(browser, pages / "one-fault.html", color_scheme=scheme) as opened:
            colours.append(opened.value("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2
    with Opened(browser, pages / "one-fault.html", java_script_enabled=False) as opened:
        assert opened.page.locator("h1").inner_text() == "reward hacking (bottleneck: the verifier)"
        assert opened.page.locator("details").nth(-1).locator("table").is_hidden()
        opened.page.locator("details").nth(-1).locator("summary").click()
        assert opened.page.locator("details").nth(-1).locator("table").is_visible()


def test_a_page_draws_what_the_log_says(browser, pages):
    with Opened(browser, pages / "many-faults.html") as opened:
        named = [one.get_attribute("aria-label") for one in opened.page.locator("figure svg[role=img]").all()]
        assert any("solve rate: 35% at step 0, 81% at step 39" in text for text in named), named
        assert any(text.startswith("Length of the completions over the steps.") for text in named)
        assert opened.page.locator("article").count() == 9
        assert opened.page.locator(".example").count() == 5
        first = opened.page.locator(".example").first
        assert first.locator(".best pre").inner_text().startswith("7 times 10")
        boxes = [first.locator(f".{name}").bounding_box() for name in ("best", "worst")]
        assert boxes[0]["y"] == boxes[1]["y"], "side by side"


def test_hostile_completions_stay_inert(browser, pages):
    with Opened(browser, pages / "hostile.html") as opened:
        assert "ran" != opened.page.title() and opened.said == []
        assert opened.page.locator("script, iframe, img, h1 ~ h1, [onload], [onerror], [onfocus]").count() == 0
        assert opened.page.locator("style").count() == 1 and opened.page.locator("main").count() == 1
        shown = [one.text_content() for one in opened.page.locator(".example .best pre").all()]
        assert shown == [visible(text) for text in HOSTILE]
        assert opened.page.locator("footer, h2#read").last.evaluate("e => e.closest('pre, details, svg')") is None


def test_a_policy_in_the_page_stops_what_would_not_be_escaped(browser, tmp_path):
    """The second barrier, tried alone: markup put into the page by hand."""
    path = tmp_path / "injected.html"
    injected = "<script>document.title = 'ran'</script><img src='http://localhost:9/x.png'>"
    path.write_text(html(diagnosis(FINDINGS)).replace("<main>", f"<main>{injected}"), encoding="utf-8")
    with Opened(browser, path) as opened:
        assert opened.page.title() != "ran" and len(opened.said) >= 2
        assert all("Content Security Policy" in text for text in opened.said)


def test_stacked_marks_do_not_paint_over_the_page(browser, tmp_path):
    (example, *_) = evidence().examples
    path = tmp_path / "stacked.html"
    made = diagnosis(examples=(replace(example, best="Z" + "\u0351" * 1500, worst=""),))
    path.write_text(html(made), encoding="utf-8")
    with Opened(browser, path) as opened:
        assert opened.value("getComputedStyle(document.querySelector('.best pre')).contain") == "paint"
