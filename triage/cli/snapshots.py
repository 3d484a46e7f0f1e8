"""The command that asks running programs for their state."""

from __future__ import annotations

from typing import Annotated

import typer

from triage.cli.app import LakeOption, PatternsOption, QuietOption, VerboseOption, app, paths, start
from triage.errors import ExitCode, UsageError


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
    key = store.key()
    rows = take(engine, chosen, known, Manner(lambda text: redact_text(text, key), run.settings.probes))
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
