"""Every page of the site: its links lead somewhere, its figures have words, and nothing is fetched from elsewhere."""

import json
import re

from .built import ROOT, dead_links, is_external, read


def pages_of(site):
    found = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    assert len(found) > 100
    return found


def test_internal_links_lead_somewhere(site):
    assert not {path.name: dead for path in pages_of(site) if (dead := dead_links(path))}


def test_every_figure_has_alternative_text(site):
    pictures = {(path.stem, *picture) for path in pages_of(site) for picture in read(path).pictures}
    assert len(pictures) > 70
    without = [picture for picture in pictures if len((picture[2] or "").split()) < 3 or ".png" in picture[2]]
    assert not without


def test_nothing_is_fetched_from_another_place(site):
    assert not {(path.name, a) for path in pages_of(site) for a in read(path).loaded if is_external(a)}
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not [address for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", styles) if is_external(address)]
    assert not re.findall(r"@import[^;]*//[^;]*", styles)


def test_every_page_and_notebook_of_the_repository_is_on_it(site):
    for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/**/[0-9]*.ipynb")]:
        place = path.relative_to(ROOT).as_posix().replace("/solutions/", "/exercises/")
        assert (site / place).with_suffix(".html").exists(), place
    assert all((site / f"{name}.html").exists() for name in ("index", "RESULTS", "CONTRIBUTING", "search"))
    assert all(
        (site / "api" / f"spkit.{name}.html").exists() for name in ("loops.star", "maths.advantages", "tasks.base")
    )


def test_outputs_are_the_committed_ones(site):
    for path in ROOT.glob("notebooks/[0-9]*.ipynb"):
        outputs = [o for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", [])]
        page = site / "notebooks" / f"{path.stem}.html"
        figures = [src for src, _ in read(page).pictures if "_images" in src]
        assert len(figures) == sum("image/png" in output.get("data", {}) for output in outputs)


def test_solutions_are_folded_and_students_see_what_they_get(site):
    for path in ROOT.glob("notebooks/solutions/*.ipynb"):
        text = (site / "notebooks" / "exercises" / f"{path.stem}.html").read_text(encoding="utf-8")
        solved = sum("### BEGIN SOLUTION" in "".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"])
        opened = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
        assert text.count("Show the solution") == solved and "### BEGIN SOLUTION" not in opened.replace("</span>", "")
        assert opened.count("YOUR CODE HERE") >= solved


def test_without_an_address_there_are_no_buttons_that_need_one(site):
    text = (site / "notebooks" / "00_self_play_toy_example.html").read_text(encoding="utf-8")
    assert "colab.research" not in text and "mybinder" not in text and "github.com" not in text


def test_terms_lead_to_the_glossary(site):
    text = (site / "notebooks" / "02_self_training_star_rest.html").read_text(encoding="utf-8")
    terms = re.findall(r'<a class="term[^>]*href="([^"]+)" title="([^"]+)"', text)
    assert len(terms) > 5 and all(address.startswith("../docs/glossary.html#") for address, _ in terms)
