"""Commands that fill the lake: collect, ingest, demo; and watch, which only shows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage import settings, when
from triage.cli.app import (
    LakeOption,
    PatternsOption,
    PrefixOption,
    QuietOption,
    Run,
    SinceOption,
    SourceOption,
    TzOption,
    UntilOption,
    VerboseOption,
    app,
    known_source,
    paths,
    start,
)
from triage.console import counted
from triage.errors import TriageError, UsageError

if TYPE_CHECKING:
    from triage.collect.follow import ContainerStatus
    from triage.lake.upkeep import Keeping
    from triage.pipeline import Progress, Stages
    from triage.schema import Batch

_TELL_S = 5.0  # how often a collector that follows writes down how it goes
_SHOWN = 3  # containers in the status line at a time
_TURN_S = 4.0
RedactOption = Annotated[
    bool, typer.Option("--redact/--no-redact", help="Replace secrets before anything is stored (on by default).")
]
FormatOption = Annotated[str, typer.Option("--format", metavar="text|json", help="What stdout gets at the end.")]


def stages(run: Run, key: bytes | None, source: str | None = None) -> Stages:
    """How lines become records, from the settings."""
    from triage.parse import ParseOptions
    from triage.pipeline import Stages

    if run.settings.tz:
        when.zone(run.settings.tz)
    return Stages(
        run.library(),
        ParseOptions(source=known_source(source), tz=run.settings.tz, prefix=run.settings.prefix),
        key if run.settings.redact else None,
        run.kinds(),
    )


def store(run: Run, batches: Callable[[Callable[[str], int | None]], Iterable[Batch]], source: str | None) -> Progress:
    """One run into the lake, with a status line; `batches` is given the lookup of cursors."""
    from triage import pipeline
    from triage.lake import collectors

    lake = run.lake
    lake.create()
    ready = batches(lake.version_of)
    how = stages(run, lake.key() if run.settings.redact else None, source)
    progress, began = pipeline.Progress(), time.monotonic()
    with run.console.status(lambda: _line(progress, began)):
        try:
            pipeline.run(ready, lake, how, progress=progress, said=run.console.say)
        finally:
            for name, reason in how.library.disabled.items():
                run.console.warn(f"pattern {name} was switched off for this run: {reason}")
            collectors.tell(lake, {origin: collectors.going(at) for origin, at in progress.committed.items()})
    return progress


def _line(progress: Progress, began: float) -> str:
    seconds = max(time.monotonic() - began, 0.001)
    rate = progress.bytes / 1e6 / seconds
    stored = f", last commit {progress.committed_at:%H:%M:%S}" if progress.committed_at else ""
    return (
        f"{progress.lines:,} lines, {progress.records:,} records, {sum(progress.problems.values()):,} with a problem, "
        f"{rate:.1f} MB/s, {int(seconds)} s{stored}"
    )


def tell(run: Run, progress: Progress, form: str) -> None:
    """What a run did, at its end."""
    if form == "json":
        run.console.json(
            {
                "lake": run.settings.lake, "lines": progress.lines, "records": progress.records,
                "origins": len(progress.origins), "undecodable": progress.undecodable, "gaps": progress.gaps,
                "problems": dict(sorted(progress.problems.items())),
            }
        )
        return
    if form != "text":
        raise UsageError(f"unknown format: {form}", hint="text or json")
    if not progress.records:
        run.console.say(f"nothing new for {run.settings.lake}")
        return
    origins = len(progress.origins)
    run.console.say(
        f"{progress.lines:,} lines from {origins} {'source' if origins == 1 else 'sources'}: "
        f"{progress.records:,} records into {run.settings.lake}"
    )
    if progress.problems:
        run.console.say(f"problems: {counted(progress.problems.most_common(8))}")
    if progress.undecodable:
        run.console.say(f"{progress.undecodable:,} lines were not valid in their encoding; the wrong bytes are marked �")


@app.command(rich_help_panel="Fill the lake")
def ingest(
    path: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders, globs; - for standard input.")],
    service: Annotated[str | None, typer.Option("--service", metavar="S", help="Name of the service.")] = None,
    source: SourceOption = None,
    tz: TzOption = None,
    prefix: PrefixOption = None,
    patterns: PatternsOption = None,
    redact: RedactOption = True,
    form: FormatOption = "text",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Logs from files into the lake.

    Plain logs, `docker logs -t`, the engine's json-file, `docker compose logs`, Kubernetes, journald and syslog
    exports, .gz .zst .bz2 .xz: all recognised by themselves. What is in the lake already is not stored again.

        triage ingest ./logs

        docker compose logs -t | triage ingest - --service myapp
    """
    from triage.collect.files import open_paths

    run = start(lake, quiet, verbose, tz=tz, prefix=prefix, patterns=paths(patterns), **_redaction(redact))
    family = known_source(source)
    progress = store(run, lambda known: open_paths(path, known, service=service, source=family), family)
    tell(run, progress, form)


@app.command(rich_help_panel="Fill the lake")
def collect(
    container: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTAINER]…", help="Names, services, id prefixes, patterns; none: all.")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="P", help="Compose project.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="K[=V]", help="Containers with it.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    delay: Annotated[str, typer.Option("--delay", metavar="D", help="With --follow: commit at least this often.")] = "5s",
    keep: Annotated[str | None, typer.Option("--keep", metavar="T", help="With --follow: forget days older than: 30d.")] = None,
    keep_size: Annotated[
        str | None, typer.Option("--keep-size", metavar="SIZE", help="With --follow: forget the oldest days beyond: 20GB.")
    ] = None,
    stats: Annotated[
        str | None, typer.Option("--stats", metavar="D|off", help="With --follow: sample memory, CPU … this often [10s].")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --follow: ask programs as `snapshot` does, by and by and when a problem begins.")
    ] = False,
    probe_every: Annotated[
        str | None, typer.Option("--probe-every", metavar="D", help="With --probe: this often; dear probes seldomer [5m].")
    ] = None,
    tz: TzOption = None,
    prefix: PrefixOption = None,
    patterns: PatternsOption = None,
    redact: RedactOption = True,
    form: FormatOption = "text",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Logs of running and stopped containers into the lake, each line once.

    A further run adds only what is new. With them come the engine's events (starts, ends, memory kills, health) and
    samples of what the containers use. The engine is found as the docker command finds it: DOCKER_HOST, context,
    ssh, TLS, else Podman's socket; only reading requests are made, except that --probe runs the programs' own reading
    commands in their containers.

        triage collect --project myapp

        triage collect --follow 'myapp-*'
    """
    from triage.cli import stop_on_sigterm
    from triage.collect import docker
    from triage.lake.upkeep import Keeping
    from triage.state.follow import once
    from triage.state.selection import Selection

    run = start(lake, quiet, verbose, tz=tz, prefix=prefix, patterns=paths(patterns), stats=stats, **_redaction(redact))
    every = _interval(run)
    first = when.moment(since) if since else None
    last = when.moment(until) if until else None
    if first and last and last <= first:
        raise UsageError("the window is empty: --until is not after --since", hint="swap them, or leave one out")
    if (keep or keep_size) and not follow:
        raise UsageError("--keep and --keep-size go with --follow", hint="once, it is: triage lake retain --keep 30d")
    if (probe or probe_every) and not follow:
        raise UsageError("--probe goes with --follow", hint="to ask once: triage snapshot")
    if follow and last:
        raise UsageError("--follow goes on until interrupted, so --until cannot be kept", hint="leave one out")
    stop_on_sigterm()
    engine = docker.connect()
    names, labels = container or [], label or []
    if follow:
        asked = _asked_every(run, probe_every) if probe or probe_every else None
        keeping = Keeping(when.span(keep) if keep else None, when.size(keep_size) if keep_size else None)
        seconds = when.span(delay).total_seconds()
        _follow(run, engine, names, project, labels, docker.nanoseconds(first), seconds, every, asked, keeping, form)
        return
    chosen = engine.find(names, project, labels)
    if not chosen:
        run.console.say("the engine has no such container")
    failed: list[TriageError] = []

    def read(known: Callable[[str], int | None]) -> Iterable[Batch]:
        for one in chosen:
            try:
                yield from docker.read(one, known, first, last)
            except TriageError as error:  # the others can still be read
                failed.append(error)
                run.console.error(error)

    progress = store(run, read, None)
    try:
        once(engine, run.lake, Selection(names, project, labels))
    except TriageError as error:  # the logs are stored all the same
        run.console.warn(f"events and samples of the containers: {error.message}")
    tell(run, progress, form)
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _follow(
    run: Run, engine: object, names: list[str], project: str | None, labels: list[str], since: int | None,
    delay_s: float, stats_s: float | None, probe_s: float | None, keeping: Keeping, form: str,
) -> None:  # fmt: skip
    from triage import pipeline
    from triage.classify.redact import redact_text
    from triage.collect.docker import Engine
    from triage.collect.follow import follow
    from triage.lake import collectors
    from triage.lake.upkeep import Upkeep
    from triage.state import probes
    from triage.state.follow import StateFollower
    from triage.state.probing import Probing
    from triage.state.selection import Selection
    from triage.state.snapshot import Manner

    assert isinstance(engine, Engine)
    if names or project:
        engine.find(names, project, labels)  # a name that matches nothing is a mistake, said at once
    lake = run.lake
    lake.create()
    how = stages(run, lake.key() if run.settings.redact else None)
    progress, began = pipeline.Progress(), time.monotonic()
    follower = follow(
        engine, lake.version_of, names=names, project=project, labels=labels, since=since, delay_s=delay_s
    )

    probing = None
    if probe_s is not None:
        key = lake.key()
        manner = Manner(lambda text: redact_text(text, key, how.kinds), run.settings.probes)
        probing = Probing(probes.load(run.settings.patterns), probe_s, manner, lambda: dict(progress.problems))
    state = StateFollower(
        engine, run.lake, Selection(names, project, labels), interval_s=stats_s, said=run.console.warn, probing=probing
    )

    def line() -> str:
        return followed(follower.status(), progress.committed, _line(progress, began), time.monotonic() - began)

    def tell_lake() -> None:
        rows = follower.status()
        collectors.tell(lake, {
            row.origin: collectors.going(progress.committed.get(row.origin), row.lag_s, row.lines_per_s, row.problem)
            for row in rows
        })  # fmt: skip

    def keep_telling() -> None:
        while not ended.wait(_TELL_S):
            tell_lake()

    def end(number: int, frame: object) -> None:
        follower.close()  # what it has ready is still stored, and the run ends by itself
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    run.console.say("following; Ctrl-C ends it and stores what is gathered")
    ended = threading.Event()
    threading.Thread(target=keep_telling, name="triage-going", daemon=True).start()
    try:
        with run.console.status(line):
            pipeline.run(
                follower, lake, how, progress=progress, said=run.console.say, delay_s=delay_s,
                upkeep=Upkeep(lake, run.console.warn, keeping),
            )  # fmt: skip
    finally:
        ended.set()
        follower.close()
        state.close()
        tell_lake()
    tell(run, progress, form)


def followed(rows: Sequence[ContainerStatus], committed: Mapping[str, datetime], summary: str, seconds: float) -> str:
    """The status line: all together, then lag, rate and last commit of a few containers, in turn where they are many."""
    lag = max((row.lag_s for row in rows), default=0.0)
    running = [row for row in rows if row.running]
    first = int(seconds / _TURN_S) * _SHOWN % len(running) if len(running) > _SHOWN else 0
    parts = [f"following {len(running)} containers, {lag:.0f} s behind"]
    for row in (running + running)[first : first + min(_SHOWN, len(running))]:
        stored = f"{committed[row.origin]:%H:%M:%S}" if row.origin in committed else "none"
        parts.append(f"{row.name}: {row.lag_s:.0f} s behind, {row.lines_per_s:.0f} lines/s, last commit {stored}")
    return " | ".join([*parts, summary])


def _interval(run: Run) -> float | None:
    """Seconds between samples; None: none are taken."""
    given = run.settings.stats
    seconds = 0.0 if given == "off" else when.span(given).total_seconds()
    if given != "off" and seconds < 1:
        raise UsageError(f"too often for samples: {given}", hint="at least 1s, or off")
    return seconds or None


def _asked_every(run: Run, given: str | None) -> float:
    """Seconds between rounds of probes."""
    text = given or run.settings.probes.get("every") or "5m"
    seconds = when.span(text).total_seconds()
    if seconds < 5:
        raise UsageError(f"too often for probes: {text}", hint="at least 5s")
    return seconds


def _redaction(redact: bool) -> dict[str, object]:
    return {} if redact else {"redact": False}


@app.command(rich_help_panel="Start here")
def demo(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where to leave lake and report [triage-demo].")
    ] = None,
    story: Annotated[
        str, typer.Option("--story", metavar="NAME", help="Which recording: provider, or jointo for every problem.")
    ] = "provider",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """A recorded incident: sample logs → lake → report, and where it is."""
    from triage._data import data_dir
    from triage.cli.reading import written
    from triage.collect.files import open_paths

    stories = {path.name: path for path in data_dir("sample_logs").iterdir() if path.is_dir()}
    if story not in stories:
        raise UsageError(f"no story is named {story!r}", hint=settings.nearest(story, stories))
    out = out or Path("triage-demo" if story == "provider" else f"triage-demo-{story}")  # a lake for each story
    run = start(str(out / "lake"), quiet, verbose)
    progress = store(run, lambda known: open_paths(sorted(stories[story].glob("*.log*")), known), None)
    tell(run, progress, "text")
    page, summary = out / "report.html", out / "summary.json"
    written(run, None, None, page, summary, None)
    run.console.say("open the report in a browser, or ask more:")
    run.console.say(f"  triage --lake {out / 'lake'} incidents")
    run.console.say(f"  triage --lake {out / 'lake'} sql --name top_error_groups")
    run.console.write(str(page))


@app.command(rich_help_panel="Look")
def watch(
    container: Annotated[list[str] | None, typer.Argument(metavar="[CONTAINER]…", help="As for collect.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="P", help="Compose project.")] = None,
    since: SinceOption = None,
    problems: Annotated[bool, typer.Option("--problems", help="Only records with a problem.")] = False,
    patterns: PatternsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Live records, classified and coloured; nothing is stored."""
    from triage import pipeline
    from triage.cli import stop_on_sigterm
    from triage.collect import docker
    from triage.collect.follow import follow

    run = start(None, quiet, verbose, patterns=paths(patterns))
    first = when.moment(since) if since else when.moment("now")
    stop_on_sigterm()
    engine = docker.connect()
    if container or project:
        engine.find(container or [], project, [])
    stop = threading.Event()
    how = stages(run, os.urandom(32))
    batches = follow(
        engine, lambda name: None, names=container or [], project=project, since=docker.nanoseconds(first), stop=stop,
        delay_s=2.0,
    )  # fmt: skip
    run.console.say("watching; Ctrl-C ends it")
    try:
        for batch, records in pipeline.completed(batches, how):
            for note in batch.notes:
                run.console.say(note)
            for row in () if records is None else records.iter_rows(named=True):
                if row["problem"] or not problems:
                    run.console.record(row)
    finally:
        batches.close()
