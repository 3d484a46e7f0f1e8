"""Vega's own scripts as the page carries them: `python -m tests.vega` (`make vega`) packs those of the pinned vl-convert."""

from __future__ import annotations

import gzip
from pathlib import Path

import vl_convert

PACKED = Path(__file__).parents[1] / "reports" / "vega" / "vega.js.gz"


def bundle() -> str:
    """Vega, Vega-Lite, the embedder and its expression interpreter in one script."""
    bundled = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(() => {{{bundled}\n}})();"  # its short top-level names would collide with the page's


if __name__ == "__main__":
    PACKED.write_bytes(gzip.compress(bundle().encode(), 9, mtime=0))
