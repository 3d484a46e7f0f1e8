"""The pattern library: every pattern file found, the problems they name, and why a record was named as it was."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from triage._data import data_dir
from triage.classify.matcher import Matcher
from triage.classify.pattern import BENIGN, Pattern, in_order, standings
from triage.classify.pattern_file import nearest, read_pattern
from triage.errors import PatternError, UsageError

PROBLEMS_FILE = "problems.toml"
PROBES_FOLDER = "probes"  # what is asked of running programs; `triage.state.probes` reads it
_PROBLEM_KEYS = ("title", "severity", "guide", "leads_to")


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of failure, whatever program reports it."""

    id: str
    title: Mapping[str, str]
    severity: str
    leads_to: tuple[str, ...]
    guide: str | None  # chapter of the guide
    runbooks: Mapping[str, Path]  # language -> file, only those that exist


@dataclass(frozen=True, slots=True)
class Tried:
    """One pattern that passed the gates for a record, and what came of it."""

    pattern: str
    keywords: tuple[str, ...]  # those of its keywords that occur
    alternative: str | None  # the one that matched; None if none did
    fields: tuple[str, ...]  # what it extracted


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one record got its problem."""

    row: int
    tried: tuple[Tried, ...]
    winner: str | None
    reason: str
    came_from: Mapping[str, str]  # field -> the pattern that gave its value; every other field is the parser's


class Library:
    """All patterns in the order of their rank, and the problem catalogue."""

    def __init__(self, patterns: Iterable[Pattern], problems: Mapping[str, Problem]) -> None:
        self.patterns = in_order(patterns)
        self._standings = standings(self.patterns)
        self.problems = dict(problems)
        self._matcher = Matcher(self.patterns)

    @classmethod
    def load(cls, extra_dirs: Sequence[Path] = (), shipped: bool = True) -> Library:
        """The shipped patterns and those of further folders; of one id, the last folder's stands."""
        return cls(*_read(extra_dirs, shipped))

    @property
    def disabled(self) -> Mapping[str, str]:
        """Patterns that were switched off in this run because they exceeded their time budget, and why."""
        return self._matcher.disabled

    def get(self, identifier: str) -> Pattern:
        for pattern in self.patterns:
            if pattern.id == identifier:
                return pattern
        raise UsageError(f"no pattern is called {identifier!r}", None, nearest(identifier, [p.id for p in self.patterns]))

    def problem(self, identifier: str) -> Problem:
        """The catalogue's entry, or one made of the id itself for problems of older libraries."""
        words = identifier.replace(".", " ").replace("_", " ").capitalize()
        unknown = Problem(identifier, {"en": words, "zh": identifier}, "error", (), None, {})
        return self.problems.get(identifier, unknown)

    def classify(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with `problem`, `problems`, `pattern` and the extracted fields set."""
        return self._matcher.classify(records)

    def match(self, records: pl.DataFrame) -> pl.DataFrame:
        """Every match, winners first: `row`, `pattern`, `alternative`, `problem`."""
        return self._matcher.match(records)

    def explain(self, records: pl.DataFrame) -> list[Explanation]:
        """For each record: which patterns were tried, which matched, and why one won."""
        seen = self._matcher.examine(records)
        names = {(row, rank): name for row, rank, name in seen.matches.select("row", "rank", "alternative").iter_rows()}
        tried: dict[int, list[tuple[int, Tried]]] = {}
        for row, rank in sorted(seen.pairs.select("row", "pattern").iter_rows()):
            text = "\n".join(filter(None, (records["body"][row], records["message"][row])))
            words = tuple(k for k in self.patterns[rank].keywords if k in text)
            told = Tried(self.patterns[rank].id, words, names.get((row, rank)), tuple(seen.fields.get((row, rank), ())))
            tried.setdefault(row, []).append((rank, told))
        came: dict[int, dict[str, str]] = {}
        for (row, name), rank in seen.stands.items():
            came.setdefault(row, {})[name] = self.patterns[rank].id
        return [self._explained(row, tried.get(row, []), came.get(row, {})) for row in range(records.height)]

    def _explained(self, row: int, tried: list[tuple[int, Tried]], came: Mapping[str, str]) -> Explanation:
        matched = [(rank, t) for rank, t in tried if t.alternative is not None]
        every = tuple(t for _, t in tried)
        if not matched:
            told = "no pattern passed its gates" if not tried else "no alternative of the patterns tried holds"
            return Explanation(row, every, None, told, came)
        winner = self.patterns[matched[0][0]]
        if len(matched) == 1:
            reason = f"only {winner.id} matches, by `{matched[0][1].alternative}`"
        else:
            why = self._decided(winner, self.patterns[matched[1][0]])
            reason = f"{winner.id} wins: {why}"
        reason += ", a known echo" if winner.problem == BENIGN else ""
        return Explanation(row, every, winner.id, reason, came)

    def _decided(self, winner: Pattern, second: Pattern) -> str:
        """What puts one pattern before another: the first of the documented rules that tells them apart."""
        above, below = self._standings[winner.id], self._standings[second.id]
        if second.id in winner.over:
            return f"it stands over {second.id}"
        if above.specificity != below.specificity:
            raised = "" if above.specificity == winner.specificity else " (of a pattern that it stands over)"
            return f"its specificity {above.specificity}{raised} is above {below.specificity} of {second.id}"
        if above.depth != below.depth:
            return f"as specific as {second.id}, and more patterns stand below it by `over`"
        return f"as specific as {second.id}, and first by id"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All problems, for who names no records: to read them takes a fifth of the time that a library takes."""

    problems: Mapping[str, Problem]

    @classmethod
    def load(cls, extra_dirs: Sequence[Path] = ()) -> Catalogue:
        """Those of `Library.load`; a regex that does not compile is not noticed."""
        return cls(_read(extra_dirs, to_run=False)[1])


def _read(
    extra_dirs: Sequence[Path], shipped: bool = True, *, to_run: bool = True
) -> tuple[list[Pattern], dict[str, Problem]]:
    """The patterns and the problems of all folders."""
    roots = [data_dir("patterns")] if shipped else []
    found: dict[str, Pattern] = {}
    catalogue: dict[str, Problem] = {}
    runbooks: dict[str, dict[str, Path]] = {}
    for root in [*roots, *map(Path, extra_dirs)]:
        if not root.is_dir():
            raise UsageError("the pattern folder does not exist", str(root), "give a folder with .toml files")
        shown = root.name if root in roots else str(root)
        for path in sorted(root.rglob("*.toml")):
            relative = path.relative_to(root)
            if relative.parts[0] == PROBES_FOLDER:
                continue
            if str(relative) == PROBLEMS_FILE:
                catalogue |= _read_problems(path, f"{shown}/{relative}")
            else:
                name = ".".join(relative.with_suffix("").parts)
                found[name] = read_pattern(path, name, f"{shown}/{relative}", to_run=to_run)
        for path in sorted(root.glob("runbooks/*.*.md")):
            problem, language = path.stem.rsplit(".", 1)
            runbooks.setdefault(problem, {})[language] = path
    return list(found.values()), _catalogue(found.values(), catalogue, runbooks)


def _read_problems(path: Path, shown: str) -> dict[str, Problem]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PatternError(f"cannot read the problems: {error}", shown, "each problem is a table: [\"db.deadlock\"]") from None
    found = {}
    for name, entry in data.items():
        for key in entry:
            if key not in _PROBLEM_KEYS:
                raise PatternError(f"unknown key `{key}` of problem `{name}`", shown, nearest(key, _PROBLEM_KEYS))
        title = entry.get("title", {})
        if not {"en", "zh"} <= set(title) or "severity" not in entry:
            hint = 'write title = { en = "…", zh = "…" } and severity = "error"'
            raise PatternError(f"problem `{name}` lacks its title or severity", shown, hint)
        leads_to = tuple(entry.get("leads_to", ()))
        found[name] = Problem(name, title, entry["severity"], leads_to, entry.get("guide"), {})
    return found


def _catalogue(
    patterns: Iterable[Pattern], known: Mapping[str, Problem], runbooks: Mapping[str, Mapping[str, Path]]
) -> dict[str, Problem]:
    """Every problem in the order of the catalogue, then those that only patterns name; `leads_to` is the union."""
    by_problem: dict[str, list[Pattern]] = {}
    for pattern in sorted(patterns, key=lambda p: p.id):
        if pattern.problem != BENIGN:
            by_problem.setdefault(pattern.problem, []).append(pattern)
    found = {}
    for name in [*known, *(n for n in sorted(by_problem) if n not in known)]:
        entry = known.get(name)
        own = by_problem.get(name, [])
        title = entry.title if entry else own[0].title
        severity = entry.severity if entry else own[0].severity
        leads_to = dict.fromkeys([*(entry.leads_to if entry else ()), *(n for p in own for n in p.leads_to)])
        guide = entry.guide if entry else None
        found[name] = Problem(name, title, severity, tuple(leads_to), guide, runbooks.get(name, {}))
    return found
