"""The words of the report, from `reports/incident/i18n/<lang>.toml`, and the titles of problems.

A missing text is our bug and raises at once: a report never shows a key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Protocol

from markupsafe import Markup

from triage._data import data_dir
from triage.errors import UsageError
from triage.report.parts import Problem

LANGUAGES = ("en", "zh")
# A Chinese character beside a Latin letter or digit, tags between them allowed.
_JOINTS = re.compile(r"(?<=[\u4e00-\u9fff])(?=(?:</?b>)*[A-Za-z0-9])|(?<=[A-Za-z0-9%])(?=(?:</?b>)*[\u4e00-\u9fff])")


@cache
def _words(lang: str) -> dict[str, dict[str, str]]:
    if lang not in LANGUAGES:
        raise UsageError(f"there is no report language {lang!r}", hint=f"choose one of {', '.join(LANGUAGES)}")
    text = (data_dir("reports") / "incident" / "i18n" / f"{lang}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _told() -> list[tuple[str, re.Pattern[str]]]:
    """What collectors say, each as the pattern of its sentence."""
    text = (data_dir("reports") / "incident" / "i18n" / "told.toml").read_text(encoding="utf-8")
    pieces = {name: re.split(r"\{(\w+)\}", sentence) for name, sentence in tomllib.loads(text).items()}
    return [
        (name, re.compile("".join(f"(?P<{p}>.+?)" if k % 2 else re.escape(p) for k, p in enumerate(parts)), re.S))
        for name, parts in pieces.items()
    ]


class Entry(Protocol):
    """A problem as the pattern library describes it."""

    @property
    def title(self) -> Mapping[str, str]: ...
    @property
    def severity(self) -> str: ...
    @property
    def guide(self) -> str | None: ...
    @property
    def leads_to(self) -> tuple[str, ...]: ...
    @property
    def runbooks(self) -> Mapping[str, Path]: ...


def catalogue(entries: Mapping[str, Entry], lang: str) -> dict[str, Problem]:
    """The library's problems in the report's language, in the library's order."""
    return {
        name: Problem(
            name,
            entry.title.get(lang) or entry.title.get("en") or name,
            entry.severity,
            entry.guide,
            tuple(entry.leads_to),
            entry.runbooks.get(lang) or entry.runbooks.get("en"),
        )
        for name, entry in entries.items()
    }


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language; `t` fills in values, escaped."""

    lang: str
    known: Mapping[str, Problem] = field(default_factory=dict)

    def t(self, key: str, **values: object) -> Markup:
        section, name = key.split(".", 1)
        return Markup(_words(self.lang)[section][name]).format(**values)

    def n(self, key: str, count: int, **values: object) -> Markup:
        """The text for a count; `key_one` where the language has a word of its own for one."""
        section, name = key.split(".", 1)
        form = f"{name}_one" if count == 1 and f"{name}_one" in _words(self.lang)[section] else name
        return self.t(f"{section}.{form}", n=f"{count:,}", count=f"{count:,}", **values)

    def told(self, sentence: str) -> str:
        """What a collector noted, in the page's language where the sentence is known, else as it was noted."""
        for name, pattern in _told():
            if found := pattern.fullmatch(sentence):
                values = {key: self.told(value) for key, value in found.groupdict().items()}
                return str(self.t(f"told.{name}", **values).unescape())
        return sentence

    def spaced(self, text: Markup) -> Markup:
        """A sentence whose Chinese and Latin words stand apart, as Chinese is set; other languages as they are."""
        return Markup(_JOINTS.sub(" ", text)) if self.lang == "zh" else text

    def section(self, name: str) -> Mapping[str, str]:
        return _words(self.lang)[name]

    def title(self, problem: str) -> str:
        return self.known[problem].title if problem in self.known else problem

    def has(self, key: str) -> bool:
        section, name = key.split(".", 1)
        return name in _words(self.lang)[section]

    def join(self, parts: list[str]) -> str:
        """`a, b and c` in the language."""
        if len(parts) < 2:
            return "".join(parts)
        head = ("、" if self.lang == "zh" else ", ").join(parts[:-1])
        word = str(self.t("lead.and"))
        if self.lang == "zh":  # a space stands between Chinese and Latin, none between Chinese and Chinese
            word = (" " if head[-1].isascii() else "") + word + (" " if parts[-1][0].isascii() else "")
        return head + word + parts[-1]

    def duration(self, span: timedelta) -> str:
        """A length of time in words, to one unit: people read "7 minutes", not 431 s."""
        seconds = span.total_seconds()
        if seconds < 1:
            return self.t("time.instant")
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            if seconds >= (size * 2 if unit != "second" else 1) or (unit != "second" and seconds == size):
                count = round(seconds / size)
                return self.t(f"time.{unit}") if count == 1 else self.t(f"time.{unit}s", n=count)
        return self.t("time.second")
