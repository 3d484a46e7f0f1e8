"""What the project's regexes mean, for layouts and patterns alike."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[\s\S]|\[\^?\]?|\]")  # what matters to a reader of classes: escapes and brackets


def ascii_classes(regex: str) -> str:
    """Spell `\\d` and `\\w` out: the Unicode classes make the automaton hundreds of times larger."""
    inside = False

    def spelled(token: re.Match[str]) -> str:
        nonlocal inside
        text = token[0]
        if text[0] == "\\":
            plain = {"\\d": "0-9", "\\w": "0-9A-Za-z_"}.get(text)
            return text if plain is None else plain if inside else f"[{plain}]"
        inside = text != "]"
        return text

    return _TOKEN.sub(spelled, regex)


def by_line(regex: str) -> str:
    """A pattern's regex as it is run: `^` and `$` at every line, ASCII classes."""
    return f"(?m){ascii_classes(regex)}"
