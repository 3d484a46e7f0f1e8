"""triage lake …: what is in it, and looking after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from triage import when
from triage.cli.app import (
    LakeOption,
    PatternsOption,
    QuietOption,
    SinceOption,
    UntilOption,
    VerboseOption,
    app,
    paths,
    start,
)
from triage.cli.export import KINDS, write_frames
from triage.cli.panels import Panels
from triage.errors import UsageError

lake_app = typer.Typer(cls=Panels, no_args_is_help=True, help="What is in the lake, and looking after it.")
app.add_typer(lake_app, name="lake", rich_help_panel="Keep")
_OF_A_DAY = 'SELECT * FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until ORDER BY "timestamp", record_id'
FormatOption = Annotated[str, typer.Option("--format", metavar="table|json")]


@lake_app.command()
def info(
    form: FormatOption = "table",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Days, sources, last records, and what could not be collected."""
    from dataclasses import asdict

    import polars as pl

    from triage.lake import collectors, maintenance

    run = start(lake, quiet, verbose)
    with run.session() as session:
        origins = session.named("collection")
    store = run.lake
    entries = [{"origin": origin, **entry} for origin, entry in collectors.told(store).items()]
    going = {"origin": pl.String, "last_commit": pl.String, "lag_s": pl.Float64, "lines_per_s": pl.Float64, "trouble": pl.String, "at": pl.String}
    origins = origins.join(pl.DataFrame(entries, schema=going), on="origin", how="left", maintain_order="left")
    days, notes = maintenance.partitions(store), store.notes()
    state = {name: sum(day.records for day in kept) for name, kept in maintenance.state_partitions(store).items()}
    gaps = notes.filter(notes["kind"] == "gap")
    if form == "json":
        run.console.json(
            {
                "lake": run.settings.lake, "version": store.table.version(), "days": [asdict(day) for day in days],
                "origins": origins.to_dicts(), "notes": notes.to_dicts(), "state": state,
            }
        )
        return
    if form != "table":
        raise UsageError(f"unknown format: {form}", hint="table or json")
    records, size = sum(day.records for day in days), sum(day.bytes for day in days)
    run.console.say(f"{run.settings.lake}: {records:,} records in {size / 1e6:.1f} MB, {len(days)} day{'s' * (len(days) != 1)}")
    cells = [[str(day.date), str(day.files), f"{day.bytes / 1e6:.2f}", f"{day.records:,}"] for day in days]
    run.console.rows(["day", "files", "MB", "records"], cells, [False, True, True, True])
    run.console.frame(origins.drop("longest_silence_s", "trouble", "at"))
    for row in origins.drop_nulls("trouble").iter_rows(named=True):
        run.console.say(f"{row['service_name']}: {row['trouble']} (as of {row['at']})")
    if state:
        run.console.say(", ".join(f"{name}: {rows:,} rows" for name, rows in state.items()))
    for row in gaps.iter_rows(named=True):
        run.console.say(f"gap in {row['service_name'] or 'the lake'}: {row['message']}")


@lake_app.command()
def compact(lake: LakeOption = None, quiet: QuietOption = False, verbose: VerboseOption = False) -> None:
    """Join small files; safe beside readers and collectors."""
    from triage.lake import maintenance

    run = start(lake, quiet, verbose)
    run.lake.require()
    store = run.lake
    removed, added = maintenance.compact(store)
    deleted = maintenance.vacuum(store)
    run.console.say(f"{removed} files became {added}; {deleted} old files deleted")


@lake_app.command()
def repair(lake: LakeOption = None, quiet: QuietOption = False, verbose: VerboseOption = False) -> None:
    """Read every file; damaged ones are set aside and noted as gaps. Exit code 1 if there were any."""
    from triage.lake import maintenance

    run = start(lake, quiet, verbose)
    run.lake.require()
    found = maintenance.repair(run.lake)
    for one in found:
        bounds = f", from {one.start:%Y-%m-%d %H:%M:%S} to {one.end:%Y-%m-%d %H:%M:%S} UTC" if one.start and one.end else ""
        run.console.warn(f"set aside, with {one.records:,} records{bounds}: {one.path}")
    run.console.say(f"{len(found)} damaged files" if len(found) != 1 else "1 damaged file")
    if found:
        raise typer.Exit(1)


@lake_app.command()
def retain(
    keep: Annotated[str | None, typer.Option("--keep", metavar="T", help="Forget days older than: 30d.")] = None,
    keep_size: Annotated[
        str | None, typer.Option("--keep-size", metavar="SIZE", help="Forget the oldest days beyond: 20GB.")
    ] = None,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Forget old days, whole; their lines are not collected again."""
    from triage.lake import maintenance

    run = start(lake, quiet, verbose)
    if keep is None and keep_size is None:
        raise UsageError("nothing to do", hint="give --keep 30d, --keep-size 20GB, or both")
    run.lake.require()
    gone = maintenance.retain(
        run.lake, when.span(keep) if keep else None, when.size(keep_size) if keep_size else None,
        datetime.now(UTC).date(),
    )  # fmt: skip
    records = sum(day.records for day in gone)
    run.console.say(f"forgot {len(gone)} days, {records:,} records")


@lake_app.command()
def reclassify(
    patterns: PatternsOption = None,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Run today's patterns over the stored records; all are replaced in one step."""
    from triage import pipeline
    from triage.lake import maintenance

    run = start(lake, quiet, verbose, patterns=paths(patterns))
    run.lake.require()
    apply = pipeline.reclassified(run.library())
    count = maintenance.reclassify(
        run.lake, apply, lambda day: run.console.say(f"{day.date}: {day.records:,} records")
    )
    run.console.say(f"{count:,} records reclassified")


@lake_app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A .parquet, .csv or .jsonl file.")],
    since: SinceOption = None,
    until: UntilOption = None,
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Records of a window as one file for another program."""
    run = start(lake, quiet, verbose)
    if out.suffix not in KINDS:
        raise UsageError(f"unknown kind of file: {out.name}", hint="its name must end in .parquet, .csv or .jsonl")
    with run.session() as session:
        window = run.window(session, since, until)
        count = write_frames(out, (session.sql(_OF_A_DAY, bounds) for bounds in _days(window.start, window.end)))
    run.console.say(f"wrote {count:,} records to {out}")


def _days(start: datetime, end: datetime) -> Iterator[dict[str, datetime]]:
    """A window in pieces of a day: of more, what is read at once may not fit into memory."""
    while start < end:
        until = min(end, start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
        yield {"since": start, "until": until}
        start = until
