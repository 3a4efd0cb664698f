"""A Chromium to try pages in: playwright's own, or a `chromium` on the path."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")  # of a desktop and of a phone


class NoBrowser(Exception):
    """Why there is none."""


@contextmanager
def chromium() -> Iterator:
    """The browser, launched. Raises NoBrowser."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise NoBrowser("needs playwright: make browser") from error
    with sync_playwright() as running:
        own = Path(running.chromium.executable_path).exists()
        found = None if own else shutil.which("chromium") or shutil.which("chromium-headless-shell")
        if not own and found is None:
            raise NoBrowser("needs a browser: make browser")
        as_root = getattr(os, "geteuid", lambda: 1)() == 0  # Chromium's sandbox refuses root
        try:
            launched = running.chromium.launch(executable_path=found, chromium_sandbox=not as_root)
        except Error as error:  # a library of the system is missing
            raise NoBrowser(f"Chromium does not start here: {str(error).splitlines()[0]}") from error
        yield launched
        launched.close()


def take_pictures(folder: Path) -> None:
    """A PNG of every page in the folder, at both widths and in both schemes. Raises NoBrowser."""
    for page in sorted(folder.glob("*.html")):
        for width in WIDTHS:
            for scheme in SCHEMES:
                with chromium() as browser:  # anew each time: a large picture leaves little memory
                    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                    opened.goto(page.resolve().as_uri())
                    opened.screenshot(path=page.with_name(f"{page.stem}-{width}-{scheme}.png"), full_page=True)
