"""A text and where literals stand in it, so that a regex is tried there alone and not at every character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence


class Text:
    """A text with its lower case, in which every character has the same place."""

    __slots__ = ("_places", "low", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        low = text.lower()
        # A few capitals are two characters in lower case; no literal here has one of them.
        self.low = low if len(low) == len(text) else re.sub("[A-Z]+", lambda m: m[0].lower(), text)
        self._places: dict[tuple[str, ...] | re.Pattern[str], list[int]] = {}

    def changed(self, text: str) -> Text:
        """What is known of another text: the same if it is no other."""
        return self if text == self.text else Text(text)

    def places(self, told: tuple[str, ...] | re.Pattern[str]) -> list[int]:
        """Where a regex matches, or any of some literals in lower case, in order."""
        if told not in self._places:
            self._places[told] = self._found(told) if isinstance(told, tuple) else [m.start() for m in told.finditer(self.text)]
        return self._places[told]

    def _found(self, literals: tuple[str, ...]) -> list[int]:
        found, find = [], self.low.find
        for literal in literals:
            at = find(literal)
            while at >= 0:
                found.append(at)
                at = find(literal, at + 1)
        return sorted(set(found)) if len(literals) > 1 else found


def matches(
    text: str, regex: re.Pattern[str], places: Sequence[int], reach: int = 0, fits: Callable[[re.Match[str]], bool] = bool
) -> Iterator[re.Match[str]]:
    """The matches that begin at one of the places or up to `reach` characters in front, the first that fit."""
    free, match = 0, regex.match  # no start is tried twice: what failed there fails again
    for place in places:
        for start in range(max(free, place - reach), place + 1) if reach else (place,) if place >= free else ():
            free = start + 1
            if (found := match(text, start)) and fits(found):
                yield found
                free = max(free, found.end())
                break


def replaced(text: str, found: Iterator[re.Match[str]], replace: Callable[[re.Match[str]], str]) -> str:
    """The text with each match replaced, as `re.sub` does it."""
    parts: list[str] = []
    end = 0
    for match in found:
        parts += text[end : match.start()], replace(match)
        end = match.end()
    return "".join((*parts, text[end:])) if parts else text
