"""Commands that ask running programs: for their state, and whether they log what is needed."""

from __future__ import annotations

from typing import Annotated

import typer

from triage.cli.app import LakeOption, PatternsOption, QuietOption, VerboseOption, app, paths, start
from triage.errors import ExitCode, TriageError, UsageError


@app.command(rich_help_panel="Fill the lake")
def snapshot(
    container: Annotated[list[str] | None, typer.Argument(metavar="[CONTAINER]…", help="As for collect.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="P", help="Compose project.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="F", help="table, csv, json or jsonl.")] = "table",
    patterns: PatternsOption = None,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """What Postgres, Redis, RabbitMQ and Celery say of themselves now: sessions, who blocks whom, queues, workers, memory.

    Runs the programs' own reading commands in their containers, stores the answers in the lake (view `snapshots`) and
    prints them. Nothing that writes can be asked. Exit code 1 where a probe failed.

        triage snapshot --project myapp
    """
    import polars as pl

    from triage.classify.redact import redact_text
    from triage.collect import docker
    from triage.lake.state import StateTable
    from triage.state import probes
    from triage.state.snapshot import Manner, take

    run = start(lake, quiet, verbose, patterns=paths(patterns))
    if form not in ("table", "csv", "json", "jsonl"):
        raise UsageError(f"unknown format: {form}", hint="table, csv, json or jsonl")
    known = probes.load(run.settings.patterns)
    engine = docker.connect()
    chosen = engine.find(container or [], project, all=False)
    store = run.lake
    store.create()
    key, kinds = store.key(), run.kinds()
    rows = take(engine, chosen, known, Manner(lambda text: redact_text(text, key, kinds), run.settings.probes))
    StateTable(store, "snapshots").append(rows)
    if rows.is_empty():
        run.console.say("no running container fits a probe")
    told = pl.col("values").list.eval(
        pl.concat_str(pl.element().struct.field("key"), pl.lit("="), pl.element().struct.field("value"))
    )
    shown = rows.select("container_name", "probe", told.list.join(", ").alias("values"), "error")
    run.console.frame(rows if form in ("json", "jsonl") else shown, form)
    if rows["error"].is_not_null().any():
        raise typer.Exit(ExitCode.FOUND)


@app.command(rich_help_panel="Keep")
def doctor(
    project: Annotated[str | None, typer.Option("--project", metavar="P", help="Compose project.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="table|json")] = "table",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Can triage collect here, and does the stack log what triage needs? Each finding has its fix to copy.

    Looks at log drivers and how many hours of log remain at today's rate, the settings of Postgres and Celery, clocks and
    time zones, limits and health checks. Nothing is changed. Exit code 1 if something should be.
    """
    from triage.collect import docker
    from triage.state import doctor as examination
    from triage.state import probes
    from triage.state.snapshot import Manner

    run = start(lake, quiet, verbose)
    findings: list[tuple[str, str, str, str]] = []
    try:
        known, manner = probes.load(run.settings.patterns), Manner(settings=run.settings.probes)
        found = examination.check(docker.connect(), project, known, manner)
        findings += [(f.level, f.subject, f.message, f.fix or "") for f in found]
    except TriageError as error:
        findings.append(("problem", error.where or "engine", error.message, error.hint or ""))
    store = run.lake
    if store.exists():
        for row in store.notes().iter_rows(named=True):
            if row["kind"] == "gap":
                findings.append(("problem", row["service_name"], row["message"], "collect more often, or keep more log"))
        findings.append(("ok", run.settings.lake, "the lake can be read", ""))
    else:
        findings.append(("note", run.settings.lake, "there is no lake here yet", "triage collect, or triage ingest PATH"))
    if form == "json":
        run.console.json([dict(zip(("level", "subject", "message", "fix"), row, strict=True)) for row in findings])
    else:
        run.console.rows(["", "where", "what", "do"], findings)
    if any(level == "problem" for level, *_ in findings):
        raise typer.Exit(ExitCode.FOUND)
