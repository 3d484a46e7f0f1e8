"""What the report's page weighs and how soon it can be used, with 1,000, 10,000 and 100,000 events.

    python -m benchmarks.report_page [--rounds 3]

Opens each page from disk in Chromium with an empty cache and prints the median of: the text (what happened, readable and
clickable), the charts and the event table (everything), and a search over all events.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from tests.report_samples import events, report
from triage.report import render

COUNTS = (1_000, 10_000, 100_000)
# When the page says that a part is ready, by its own clock: milliseconds since navigation began.
_WATCH = """
window.reached = {};
new MutationObserver(() => {
  const state = document.documentElement?.dataset.ready;
  if (state && !(state in window.reached)) window.reached[state] = performance.now();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] });
"""
_SEARCH = """() => new Promise((done) => {
  const said = document.getElementById("matches"), began = performance.now();
  new MutationObserver(() => done(performance.now() - began)).observe(said, { childList: true, characterData: true, subtree: true });
  const field = document.getElementById("search");
  field.value = "deadlock detected";
  field.dispatchEvent(new Event("input"));
})"""


def opened(browser: Any, path: Path) -> tuple[float, float, float]:
    """Milliseconds until the text, until everything, and of a search."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=all]", timeout=60_000)
    reached = page.evaluate("window.reached")
    search = page.evaluate(_SEARCH)
    context.close()
    return reached["text"], reached["all"], search


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("needs Chromium (apt-get install chromium)", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    print(f"{'events':>8} {'rendered':>10} {'size':>9} {'text':>8} {'all':>8} {'search':>8}")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for count in COUNTS:
            value = replace(report(), events=events(count))
            began = time.perf_counter()
            page = render.html(value)
            rendered = time.perf_counter() - began
            path = Path(folder) / f"{count}.html"
            path.write_text(page, encoding="utf-8")
            text, whole, search = (median(part) for part in zip(*(opened(browser, path) for _ in range(rounds)), strict=True))
            size = path.stat().st_size / 1e6
            print(f"{count:>8,} {rendered:>8.2f} s {size:>6.2f} MB {text:>5.0f} ms {whole:>5.0f} ms {search:>5.0f} ms")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
