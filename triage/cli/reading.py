"""Commands that read the lake: report, digest, incidents, check, sql."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage import __version__, when
from triage.cli.app import (
    LakeOption,
    LangOption,
    QuietOption,
    Run,
    SinceOption,
    SqlDirOption,
    UntilOption,
    VerboseOption,
    app,
    paths,
    start,
)
from triage.cli.guard import guarded
from triage.console import FORMATS, only_one, write_file
from triage.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from triage.analyse import Alert, Incident, Window
    from triage.query import Session
    from triage.report.digest import Digest
    from triage.report.parts import Collection

PAGE = Path("report.html")


@app.command(rich_help_panel="Look")
def report(
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The page [report.html]; - for stdout.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The summary; - for stdout.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="A post-mortem to finish; - for stdout.")
    ] = None,
    lang: LangOption = None,
    form: Annotated[
        str, typer.Option("--format", metavar="html|json|md", help="json, md: that on stdout instead of the page.")
    ] = "html",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """The incident report: what broke, when, what first, who was hit, the evidence, and the next runbook step.

    One HTML file that needs no network; without --since and --until it covers all that the lake holds.

        triage report --since 2h -o incident.html --markdown postmortem.md
    """
    run = start(lake, quiet, verbose, lang=lang)
    if form not in ("html", "json", "md"):
        raise UsageError(f"unknown format: {form}", hint="html, json or md")
    if form == "json":
        json_file = json_file or Path("-")
    if form == "md":
        markdown = markdown or Path("-")
    to_stdout = [path for path in (json_file, markdown) if path == Path("-")]
    page = out or (None if to_stdout else PAGE)
    written(run, since, until, page, json_file, markdown)


def written(
    run: Run, since: str | None, until: str | None, page: Path | None, summary: Path | None, markdown: Path | None
) -> None:
    """Build the report once and write what is asked for."""
    from triage.console import as_json
    from triage.report import model, render

    library = run.catalogue()
    with run.session() as session:
        window = run.window(session, since, until)
        built = model.build(
            session, window, library, lang=run.settings.lang, now=datetime.now(UTC), collection=noted(run),
            version=__version__, thresholds=run.thresholds(),
        )  # fmt: skip
    outputs: list[tuple[Path | None, Callable[[], str]]] = [
        (page, lambda: render.html(built)),
        (summary, lambda: as_json(render.summary(built), indent=2)),
        (markdown, lambda: render.markdown(built)),
    ]
    for path, make in outputs:
        if path is not None:
            _put(run, path, make())
    if built.incidents:
        count = len(built.incidents)
        run.console.say(f"{count} {'incident' if count == 1 else 'incidents'}, the first: {_sentence(built.incidents[0])}")
    else:
        run.console.say(f"no incident among {built.totals.records:,} records")


def _put(run: Run, path: Path, text: str) -> None:
    if path == Path("-"):
        run.console.write(text)
    else:
        write_file(path, text)
        run.console.say(f"wrote {path} ({len(text.encode()) / 1e6:.2f} MB)")


def noted(run: Run) -> Collection:
    """What the collectors noted, for the report."""
    from triage.report.parts import Collection, Gap

    notes = run.lake.notes()
    gaps = tuple(
        Gap(row["origin"], row["service_name"], row["start"], row["end"], row["message"])
        for row in notes.iter_rows(named=True)
        if row["kind"] == "gap"
    )
    undecodable = int(notes.filter(notes["kind"] == "undecodable")["lines"].sum())
    told = tuple(dict.fromkeys(notes.filter(notes["kind"] == "note")["message"]))
    return Collection((), gaps, undecodable=undecodable, notes=told)


def _sentence(incident: Incident) -> str:
    cause = incident.suspected_cause
    first = f"{cause.problem} in {cause.service}" if cause else incident.problems[0]
    return f"{first} from {incident.start:%Y-%m-%d %H:%M:%S} UTC ({', '.join(incident.problems)})"


@app.command(rich_help_panel="Look")
def incidents(
    since: SinceOption = None,
    until: UntilOption = None,
    form: Annotated[str, typer.Option("--format", metavar="table|json|jsonl|csv")] = "table",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """What happened, one row an incident: when, what broke first, what followed, who was hit."""
    from triage import analyse
    from triage.report.contract import incident_json

    run = start(lake, quiet, verbose)
    library = run.catalogue()
    with run.session() as session:
        window = run.window(session, since, until)
        leads_to = {name: problem.leads_to for name, problem in library.problems.items()}
        found = analyse.incidents(session, window, leads_to, run.thresholds())
    if form == "json":
        run.console.json([incident_json(one) for one in found])
    elif form == "jsonl":
        from triage.console import as_json

        for one in found:
            run.console.write(as_json(incident_json(one)))
    elif form in ("table", "csv"):
        _incident_rows(run, found, form)
    else:
        raise UsageError(f"unknown format: {form}", hint="table, json, jsonl or csv")


def _incident_rows(run: Run, found: tuple[Incident, ...], form: str) -> None:
    if not found and form == "table":
        run.console.say("no incident in this window; single errors are in: triage sql --name top_error_groups")
        return
    if form == "table" and run.console.narrow:
        for one in found:
            _incident_paragraph(run, one)
        return
    head = ["start (UTC)", "lasted", "broke first", "service", "sure", "then", "hit"]
    cells = []
    for one in found:
        cause = one.suspected_cause
        named = (cause.problem, cause.service, cause.level) if cause else (one.problems[0], "", "-")
        cells.append([f"{one.start:%Y-%m-%d %H:%M:%S}", _lasted(one), *named, " > ".join(_followed(one)), _hit(one)])
    if form == "table":
        run.console.rows(head, cells)
        return
    import polars as pl

    run.console.frame(pl.DataFrame(cells, schema=dict.fromkeys(head, pl.String), orient="row"), form)


def _incident_paragraph(run: Run, one: Incident) -> None:
    cause = one.suspected_cause
    first = f"{cause.problem} in {cause.service} ({cause.level} confidence)" if cause else one.problems[0]
    run.console.paragraph(f"{one.start:%Y-%m-%d %H:%M:%S} UTC, {_lasted(one)}: {first}", "    ")
    for name, text in (("then", " > ".join(_followed(one))), ("hit ", _hit(one))):
        if text:
            run.console.paragraph(f"    {name} {text}", " " * 9)


def _lasted(one: Incident) -> str:
    seconds = int((one.end - one.start).total_seconds())
    return f"{seconds // 60}m{seconds % 60:02d}s" + (" and still open" if one.open else "")


def _followed(one: Incident) -> list[str]:
    return [step.problem for step in one.chain if not one.suspected_cause or step.problem != one.suspected_cause.problem]


def _hit(one: Incident) -> str:
    hit = one.impact
    numbers = {"request": hit.failed_requests, "task": hit.failed_tasks, "user": hit.users, "job": hit.jobs}
    return ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for noun, count in numbers.items() if count)


@app.command(rich_help_panel="Look")
def check(
    since: SinceOption = None,
    until: UntilOption = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json|prometheus")] = "text",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Evaluate the alert rules: the guide's two and those of triage.toml. Exit code 1 and a line each when they fire.

        triage check --since 1h || page-someone

        triage check --format prometheus > /var/lib/node_exporter/triage.prom

    That format has the monitoring figures of the window besides; `triage metrics` serves them to a scraper.
    """
    from dataclasses import asdict

    from triage import analyse

    run = start(lake, quiet, verbose)
    with run.session() as session:
        window = run.window(session, since, until)
        found = analyse.alerts(session, window, run.thresholds())
        if form == "prometheus":
            run.console.write(_metrics(run, session, window, found))
            return  # a scraper asks for values, not for an exit code
    firing = [alert for alert in found if alert.firing]
    if form == "json":
        run.console.json([asdict(alert) for alert in found])
    elif form == "text":
        for alert in firing:
            until_text = "and still" if alert.active else f"until {alert.until:%Y-%m-%d %H:%M:%S}" if alert.until else ""
            run.console.write(f"{alert.rule}: {alert.summary} (from {alert.since:%Y-%m-%d %H:%M:%S} UTC {until_text})")
        if not firing:
            run.console.say(f"{len(found)} rules, none fires")
    else:
        raise UsageError(f"unknown format: {form}", hint="text, json or prometheus")
    if firing:
        raise typer.Exit(ExitCode.FOUND)


def _metrics(run: Run, session: Session, window: Window, found: tuple[Alert, ...]) -> str:
    from triage.analyse.metrics import counted, metrics
    from triage.cli.metrics import health
    from triage.report import openmetrics

    counts = counted(session, window.start, window.end)
    return openmetrics.text(metrics(session, window.end, counts, found, health(run), __version__))


@app.command(rich_help_panel="Look")
def digest(
    date: Annotated[str, typer.Option("--date", metavar="D", help="The UTC day: 2026-02-03, today, yesterday.")] = "yesterday",
    form: Annotated[str, typer.Option("--format", metavar="md|html|json|slack")] = "md",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; stdout else.")] = None,
    lang: LangOption = None,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """One day in one page against the 7 days before: what is new, gone, rising, falling, slow, failing.

        0 7 * * *  triage digest --format html -o /var/www/digest.html
    """
    from triage.console import as_json
    from triage.report import digest as digests

    run = start(lake, quiet, verbose, lang=lang)
    makers: dict[str, Callable[[Digest], str]] = {
        "md": digests.markdown, "html": digests.html,
        "json": lambda made: as_json(digests.summary(made), indent=2),
        "slack": lambda made: as_json(digests.slack(made), indent=2),
    }  # fmt: skip
    if form not in makers:
        raise UsageError(f"unknown format: {form}", hint=", ".join(makers))

    def made() -> str:
        library = run.catalogue()
        with run.session() as session:
            built = digests.build(session, when.day(date), library, run.settings.lang, run.thresholds())
        return makers[form](built)

    if out is None or out == Path("-"):
        run.console.write(made())
        return
    with only_one(out):
        write_file(out, made())  # no word on success: made for cron


@app.command(rich_help_panel="Look")
def sql(
    query: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="DuckDB SQL over the view `logs`; - for stdin.")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="A named query.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", metavar="K=V", help="Its parameters.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="The named queries.")] = False,
    show: Annotated[str | None, typer.Option("--show", metavar="NAME", help="A named query's SQL.")] = None,
    sql_dir: SqlDirOption = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS))] = "table",
    timeout: Annotated[str, typer.Option("--timeout", metavar="T", help="Stop after: 30s, 5m.")] = "10m",
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="Limit of memory.")] = "1GB",
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Lift the confinement: files, network, attach.")] = False,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask anything: a named query, or your own SQL. Read-only, and confined to the lake.

    Views: logs, errors, requests, tasks, queries.

        triage sql --name errors_per_minute -p since=2026-02-03T10:00Z

        triage sql "SELECT service_name, count(*) FROM errors GROUP BY ALL"
    """
    run = start(lake, quiet, verbose, sql_dirs=paths(sql_dir))
    if form not in FORMATS:
        raise UsageError(f"unknown format: {form}", hint=f"one of: {', '.join(FORMATS)}")
    if sum(given not in (None, False) for given in (query, name, listing, show)) != 1:
        raise UsageError("give one of: a QUERY, --name, --list, --show", hint="for example: triage sql --list")
    if listing or show:
        _queries(run, show, form)
        return
    params = dict(_pair(text) for text in param or [])
    limit = when.span(timeout).total_seconds()
    with guarded(limit, when.size(memory), run.console), run.session(memory_limit=memory, timeout_s=limit, unsafe=unsafe) as session:
        if name:
            frame = session.named(name, **params)
        else:
            text = sys.stdin.read() if query == "-" else query or ""
            frame = session.sql(text, params or None)
    run.console.frame(frame, form)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"not a parameter: {text!r}", hint="write it as -p name=value")
    return key, value


def _queries(run: Run, show: str | None, form: str) -> None:
    import polars as pl

    from triage.query import named

    known = named.shipped()
    for folder in run.settings.sql_dirs:
        known |= named.load_folder(folder)
    if show:
        if show not in known:
            raise named.unknown(show, known)
        run.console.write(known[show].sql)
        return
    rows = [
        {
            "name": one.name, "title": one.title,
            "parameters": ", ".join(p.name + ("" if p.required else f"={p.default}") for p in one.parameters),
        }
        for one in sorted(known.values(), key=lambda q: q.name)
    ]  # fmt: skip
    run.console.frame(pl.DataFrame(rows), form)
