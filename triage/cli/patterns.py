"""triage patterns …, explain, redact, doctor: what the tool knows, and why it says what it says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.cli.app import (
    PatternsOption,
    PrefixOption,
    QuietOption,
    Run,
    SourceOption,
    TzOption,
    VerboseOption,
    app,
    known_source,
    paths,
    start,
)
from triage.cli.collecting import RedactOption, stages
from triage.cli.panels import Panels
from triage.errors import ExitCode, UnavailableError, UsageError
from triage.visible import visible

if TYPE_CHECKING:
    import polars as pl

    from triage.classify.library import Explanation, Library

patterns_app = typer.Typer(cls=Panels, no_args_is_help=True, help="The pattern library: what each line means.")
app.add_typer(patterns_app, name="patterns", rich_help_panel="Understand")
TableFormat = Annotated[str, typer.Option("--format", metavar="table|json|csv|jsonl")]


@app.command(rich_help_panel="Understand")
def explain(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A log; - for standard input.")] = "-",
    source: SourceOption = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json", help="json: one object a line.")] = "text",
    tz: TzOption = None,
    prefix: PrefixOption = None,
    patterns: PatternsOption = None,
    service: Annotated[str | None, typer.Option("--service", metavar="S", help="Name of the service.")] = None,
    redact: RedactOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Parse and classify without a lake: what each record is, which patterns were tried, and why one won.

        docker logs myapp-worker-1 2>&1 | triage explain -
    """
    from triage import pipeline
    from triage.collect.files import open_paths

    run = start(None, quiet, verbose, tz=tz, prefix=prefix, patterns=paths(patterns), **({} if redact else {"redact": False}))
    if form not in ("text", "json"):
        raise UsageError(f"unknown format: {form}", hint="text or json")
    if file == "-" and sys.stdin.isatty():
        run.console.say("reading from the terminal; end with Ctrl-D")
    family = known_source(source)
    how = stages(run, os.urandom(32), family)
    batches = open_paths([file], lambda name: None, service=service, source=family)
    for batch, records in pipeline.completed(batches, how):
        for note in batch.notes:
            run.console.say(note)
        if records is None:
            continue
        if form == "json":
            for row in _as_json(records):
                run.console.write(row)
        else:
            _as_text(run, records, how.library)


def _as_json(records: pl.DataFrame) -> Iterator[str]:
    from triage.console import as_json, plain_rows
    from triage.schema import LOGS

    always = {
        "timestamp", "severity_text", "source", "message", "body", "problem", "problems", "pattern", "fingerprint",
        "template", "exception_type", "line_count", "attributes",
    }  # fmt: skip
    hidden = {"origin", "record_id", "date"}
    for row in plain_rows(records.select(name for name in LOGS if name in records.columns and name not in hidden)):
        row["fingerprint"] = None if row["fingerprint"] is None else f"{row['fingerprint']:016x}"
        row["attributes"] = row["attributes"] or {}
        row["problems"] = row["problems"] or []
        yield as_json({name: value for name, value in row.items() if name in always or value is not None})


def _as_text(run: Run, records: pl.DataFrame, library: Library) -> None:
    from triage.console import plain_rows

    explained = {one.row: one for one in library.explain(records)}
    for number, row in enumerate(plain_rows(records)):
        run.console.write(_told(row, explained.get(number)))


def _told(row: dict[str, Any], why: Explanation | None) -> str:
    from triage.schema import EXTRACTABLE

    first = (row["message"] or "").split("\n", 1)[0]
    lines = [f"{row['timestamp']:%Y-%m-%d %H:%M:%S.%f}"[:23] + f"Z {row['severity_text'] or '-'} {first}"]
    lines.append(
        f"  source {row['source']}, {row['line_count']} {'line' if row['line_count'] == 1 else 'lines'}, "
        f"template {row['template']!r}, fingerprint {row['fingerprint'] or 0:016x}"
    )
    fields = {name: row[name] for name in EXTRACTABLE if row.get(name) is not None} | (row["attributes"] or {})
    by_pattern = {name for one in (why.tried if why else ()) for name in one.fields}
    lines += [f"  {name} = {value}  ({'pattern' if name in by_pattern else 'parser'})" for name, value in fields.items()]
    tried = why.tried if why else ()
    for one in tried:
        words = f" (keywords: {', '.join(one.keywords)})" if one.keywords else ""
        if one.alternative:
            lines.append(f"  {one.pattern}: matched by `{one.alternative}`{words}")
        elif words:
            lines.append(f"  {one.pattern}: tried, no match{words}")
    classed = [one.pattern for one in tried if not one.alternative and not one.keywords]
    if classed:
        lines.append(f"  tried by class alone, no match: {', '.join(classed)}")
    lines.append(f"  → {row['problem'] or 'benign'}: {why.reason if why else ''}")
    return visible("\n".join(lines)) + "\n"


@patterns_app.command("list")
def list_patterns(
    problem: Annotated[str | None, typer.Option("--problem", metavar="ID", help="Only of this problem.")] = None,
    form: TableFormat = "table",
    patterns: PatternsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Every pattern with its problem, severity and status."""
    import polars as pl

    run = start(None, quiet, verbose, patterns=paths(patterns))
    lang = run.settings.lang
    rows = [
        {
            "pattern": one.id, "problem": one.problem, "title": one.title.get(lang, one.title["en"]),
            "severity": one.severity, "status": one.status, "samples": len(one.hits) + len(one.misses),
        }
        for one in sorted(run.library().patterns, key=lambda p: p.id)
        if problem is None or one.problem == problem
    ]  # fmt: skip
    run.console.frame(pl.DataFrame(rows), form)


@patterns_app.command()
def show(
    pattern: Annotated[str, typer.Argument(metavar="ID")],
    patterns: PatternsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """A pattern's file, and what its problem leads to."""
    from triage._data import data_dir

    run = start(None, quiet, verbose, patterns=paths(patterns))
    library = run.library()
    found = library.get(pattern)
    problem = library.problem(found.problem)
    run.console.say(f"{found.path}: {found.problem}, leads to {', '.join(problem.leads_to) or 'nothing known'}")
    places = [*(folder / Path(*pattern.split(".")).with_suffix(".toml") for folder in run.settings.patterns[::-1])]
    places.append(data_dir("patterns") / f"{pattern.replace('.', '/')}.toml")
    file = next(place for place in places if place.is_file())
    run.console.write(file.read_text(encoding="utf-8"))


@patterns_app.command()
def test(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Own patterns; without: the shipped.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="ID", help="One pattern.")] = None,
    patterns: PatternsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Run every sample inside the pattern files. Exit code 1 if one fails."""
    from triage.classify import samples

    extra = (folder,) if folder else ()
    run = start(None, quiet, verbose, patterns=(*paths(patterns), *extra))
    library = run.library()
    if only:
        library.get(only)
    own = {_name(path, folder) for path in folder.rglob("*.toml")} if folder else {p.id for p in library.patterns}
    chosen = [p for p in library.patterns if p.id in own and p.id == (only or p.id)]
    trial = samples.Trial(library, parse_sample, chosen)
    passed = failed = 0
    for one in samples.checks(chosen):
        wrong = one.run(trial)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        for text in wrong:
            run.console.write(visible(f"{one.where}: {one.id}: {text}"))
        if not wrong:
            run.console.detail(f"ok {one.id}")
    run.console.say(f"{passed} checks passed, {failed} failed")
    if failed:
        raise typer.Exit(ExitCode.FOUND)


def _name(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def parse_sample(text: str, source: str | None) -> pl.DataFrame:
    """A sample's text as records."""
    from triage.parse import ParseOptions, parse
    from triage.pipeline import lines_of
    from triage.schema import Resource

    return parse(lines_of(text.strip("\n").split("\n")), Resource("sample", source=source), ParseOptions(source=source))


@patterns_app.command()
def new(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A file with one record; - for stdin.")] = "-",
    source: SourceOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Start a pattern from a pasted record: its sample is filled in, the rest is marked FILL IN.

        pbpaste | triage patterns new > our-patterns/shop/stock.toml
    """
    from triage.classify.skeleton import new_pattern

    run = start(None, quiet, verbose)
    text = _text(file)
    if not text.strip():
        raise UsageError("there is no record to start from", hint="paste one, or name a file that holds one")
    records = parse_sample(text, known_source(source))
    if records.height != 1:
        run.console.warn(f"this is {records.height} records; the pattern is made for the first")
    run.console.write(new_pattern(str(records["body"][0]), records.row(0, named=True)))


@app.command(rich_help_panel="Understand")
def redact(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A log; - for standard input.")] = "-",
    check: Annotated[bool, typer.Option("--check", help="Show what is redacted, and what looks like a secret and is not.")] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """A log without its secrets on stdout; with --check, what a rule set does to it (exit code 1 if it may miss one)."""
    import polars as pl

    from triage.classify import redact as redaction

    run = start(None, quiet, verbose)
    kinds = run.kinds()
    text = _text(file)
    if not check:
        lines = pl.Series("text", text.removesuffix("\n").split("\n"), dtype=pl.String)
        for line in redaction.redact(lines, os.urandom(32), kinds):
            run.console.write(visible(line) if sys.stdout.isatty() else line)
        return
    found = redaction.check(text, kinds)
    for one in found:
        shown = one.text if len(one.text) <= 4 else f"{one.text[:2]}…{one.text[-2:]} ({len(one.text)} characters)"
        run.console.write(visible(f"line {one.line}: {'redacted' if one.redacted else 'NOT redacted'} {one.kind}: {shown}"))
    missed = sum(not one.redacted for one in found)
    run.console.say(f"{len(found) - missed} redacted, {missed} look like secrets and are not redacted")
    if missed:
        raise typer.Exit(ExitCode.FOUND)


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UnavailableError(f"cannot read: {error.strerror}", file) from error
    return data.decode("utf-8", "replace")
