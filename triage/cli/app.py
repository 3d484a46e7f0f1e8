"""The application, the options that mean the same everywhere, and what a command starts from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage import __version__, settings
from triage.cli.panels import Panels
from triage.console import Console
from triage.errors import UsageError
from triage.settings import Settings

if TYPE_CHECKING:
    from triage.analyse import Settings as Thresholds
    from triage.analyse import Window
    from triage.classify.library import Catalogue, Library
    from triage.classify.redact import Kinds
    from triage.lake.table import Lake
    from triage.query import Session

app = typer.Typer(
    name="triage",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    cls=Panels,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Container logs of a compose stack, turned into answers.\n\n"
        "`triage demo` shows it on a recorded incident. On your own stack:\n\n"
        "    triage collect --project myapp  # every container's log into ./lake\n\n"
        "    triage report --since 2h        # what broke, what first, who was hit\n\n"
        "    triage sql --list               # questions that are ready to ask\n\n"
        "Exit codes: 0 done, 1 a check found something, 2 usage or bad file, 3 source or lake unavailable, "
        "130 interrupted."
    ),
)

LakeOption = Annotated[
    str | None, typer.Option("--lake", metavar="DIR", help="The lake [TRIAGE_LAKE, triage.toml, else ./lake].")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but warnings and errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; show tracebacks of bugs.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="T", help="From: 2026-02-03T10:00Z, '2026-02-03 10:00', 2h, yesterday.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="T", help="To, exclusive; as --since.")]
LangOption = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the text.")]
PatternsOption = Annotated[
    list[Path] | None, typer.Option("--patterns", metavar="DIR", help="Own pattern files; the same id overrides.")
]
SqlDirOption = Annotated[list[Path] | None, typer.Option("--sql-dir", metavar="DIR", help="Own named queries.")]
TzOption = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Zone of clocks that print none: Asia/Shanghai, +08:00.")
]
PrefixOption = Annotated[
    str | None, typer.Option("--prefix", metavar="P", help="Postgres' log_line_prefix, where it is unusual.")
]
SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="F", help="Format family: app, celery, postgres, redis, nginx …")
]


@dataclass(frozen=True, slots=True)
class _Given:
    """Common options written before the command."""

    lake: str | None = None
    quiet: bool = False
    verbose: bool = False
    config: Path | None = None


_given = _Given()


def _version(asked: bool) -> None:
    if asked:
        print(f"triage {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    lake: LakeOption = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings [TRIAGE_CONFIG, else ./triage.toml].")
    ] = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    global _given
    _given = _Given(lake, quiet, verbose, config)


@dataclass(frozen=True)
class Run:
    """What every command starts from; the expensive parts are made when asked for."""

    settings: Settings
    console: Console

    @property
    def lake(self) -> Lake:
        from triage.lake.table import Lake

        return Lake(self.settings.lake)

    def library(self) -> Library:
        """The patterns: shipped and own."""
        from triage.classify.library import Library

        return Library.load(self.settings.patterns)

    def catalogue(self) -> Catalogue:
        """The problems that the patterns name, without what naming records needs."""
        from triage.classify.library import Catalogue

        return Catalogue.load(self.settings.patterns)

    def kinds(self) -> Kinds:
        """What counts as secret."""
        from triage.classify import own_kinds
        from triage.classify.redact import PERSONAL_KINDS, Kinds

        personal = PERSONAL_KINDS if self.settings.personal is None else frozenset(map(str, self.settings.personal))
        for kind in personal - PERSONAL_KINDS:
            hint = settings.nearest(kind, PERSONAL_KINDS)
            raise UsageError(f"unknown kind of personal data: {kind}", settings.FILE, hint)
        return Kinds(personal, own_kinds.read(self.settings.kinds, settings.FILE))

    @contextmanager
    def session(self, **limits: object) -> Iterator[Session]:
        """SQL over the lake."""
        from triage.lake import state
        from triage.query import Session

        lake = self.lake
        lake.require()
        tables = {"state": state.file_uris(lake), "sql_dirs": self.settings.sql_dirs, "warn": self.console.warn, **limits}
        with Session(lake.file_uris(), **tables) as session:  # type: ignore[arg-type]
            yield session

    def window(self, session: Session, since: str | None, until: str | None) -> Window:
        """The stretch that is asked for; without options all that the lake holds."""
        from datetime import UTC, datetime, timedelta

        from triage import when
        from triage.analyse import Window

        now = datetime.now(UTC)
        bounds = session.named("bounds").row(0, named=True)
        first, last = bounds["first_seen"] or now, bounds["last_seen"] or now
        start = when.moment(since, now) if since else first
        end = when.moment(until, now) if until else max(last, start) + timedelta(microseconds=1)
        if end <= start:
            raise UsageError("the window is empty: --until is not after --since", hint="swap them, or leave one out")
        return Window(start, end)

    def thresholds(self) -> Thresholds:
        """The thresholds of the analysis, with those of triage.toml."""
        from dataclasses import fields

        from triage.analyse import Settings as Thresholds

        known = {field.name for field in fields(Thresholds)} - {"user_alerts"}
        for name in self.settings.analysis:
            if name not in known:
                raise UsageError(f"unknown setting `analysis.{name}`", settings.FILE, settings.nearest(name, known))
        given: dict[str, object] = {**self.settings.analysis, "user_alerts": dict(self.settings.alerts)}
        return Thresholds(**given)  # type: ignore[arg-type]


def start(
    lake: str | None = None, quiet: bool = False, verbose: bool = False, **options: object
) -> Run:
    """Settings and console of a command from its options, the ones before the command, environment and file."""
    console = Console(quiet=quiet or _given.quiet, verbose=verbose or _given.verbose)
    return Run(settings.load(_given.config, lake=lake or _given.lake, **options), console)


def paths(values: list[Path] | None) -> tuple[Path, ...]:
    """An option that may be given several times."""
    return tuple(values or ())


def known_source(source: str | None) -> str | None:
    """A format family by name."""
    from triage.schema import SOURCES

    if source is not None and source not in SOURCES:
        raise UsageError(f"unknown source: {source}", hint=settings.nearest(source, SOURCES))
    return source
