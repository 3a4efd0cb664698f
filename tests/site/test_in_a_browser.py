"""Every page of the site in a real browser, opened as a file: quiet, as wide as the screen, and to be searched."""

from collections.abc import Iterator

import pytest

from tests.diagnose.report.browser import WIDTHS, NoBrowser, chromium

WAIT = 20_000  # milliseconds
# what ends beyond the right edge, and in no box of its own that scrolls
WIDER = """() => [...document.querySelectorAll('.bd-article *')].filter(one => {
  const box = one.getBoundingClientRect();
  if (box.width === 0 || box.right <= innerWidth + 1) return false;
  for (let up = one; up && !up.matches('.bd-article'); up = up.parentElement)
    if (getComputedStyle(up).overflowX !== 'visible') return false;
  return true; }).slice(0, 3).map(one => one.tagName + ' ' + one.textContent.slice(0, 40))"""
DRAWN = "() => !window.MathJax?.startup?.promise || window.MathJax.startup.promise.then(() => true)"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    try:
        with chromium() as launched:
            yield launched
    except NoBrowser as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def texts(site):
    """All pages that have a text; those of the package's code are all alike, and a few stand for them."""
    code = sorted((site / "_modules").rglob("*.html"))
    return [path for path in sorted(site.rglob("*.html")) if not {"_modules", "_static"} & set(path.parts)] + code[:3]


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_quiet_ask_for_nothing_and_are_as_wide_as_the_screen(browser, texts, width):
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, said, wrong = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    for path in texts:
        said.clear()
        page.goto(path.as_uri(), wait_until="load", timeout=WAIT)
        page.evaluate(DRAWN)
        wide = page.evaluate(WIDER)
        if wide or page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append(f"wider than the screen: {wide}")
        if page.evaluate("document.querySelectorAll('mjx-merror, [data-mjx-error]').length"):
            said.append("a formula that cannot be drawn")
        wrong += [(path.stem, text) for text in said]
    context.close()
    assert not wrong


def test_search_finds_rationalization(browser, site):
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=rationalization")
    page.wait_for_selector("#search-results li a", timeout=WAIT)
    page.wait_for_function("document.querySelectorAll('#search-results li').length > 3", timeout=WAIT)
    found = page.eval_on_selector_all("#search-results li a", "all => all.map(one => one.getAttribute('href'))")
    assert any(address.startswith("notebooks/02_") for address in found)
    assert any(address.startswith("docs/glossary.html") for address in found)
    page.close()


def test_figures_stand_on_white_in_the_dark_scheme(browser, site):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto((site / "notebooks" / "00_self_play_toy_example.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    style = page.evaluate(
        "(s => [s.backgroundColor, s.filter])(getComputedStyle(document.querySelector('.cell_output img')))"
    )
    assert style == ["rgb(255, 255, 255)", "none"]
    context.close()
