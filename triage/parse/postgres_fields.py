"""Postgres's continuation lines as attributes, and the durations and statements of its messages."""

from __future__ import annotations

import json

import polars as pl

from triage.parse import postgres_codes
from triage.parse.assemble import Assembly
from triage.parse.postgres import CONTINUES, ENGLISH

# "duration:" in the server's translations.
_DURATION = r"^(?:duration|Dauer|持续时间|执行时间|durée|duración|duração|durata|продолжительность|期間|실행시간|varaktighet|тривалість)\s?[:：]? ?([0-9.]+) ?(?:ms|毫秒|мс|мсек|ミリ秒)"
_STATEMENT = r"(?s)^.{3,20}?[0-9.]+ \S+\s+(?:statement|execute [^:]*|parse [^:]*|bind [^:]*|语句|Anweisung|[^:\s]+(?: [^:]*)?)[:：] ?(.*)$"
_PLAN = r"(?s)^duration: [0-9.]+ ms  plan:\s*(.*)$"
# A plan's text ends where its first node begins, or its parameters; as JSON it is a member.
_QUERY_TEXT = r"(?s)^(?:Query Text|Abfragetext): (.*?)\n(?:Query Parameters: |[A-Z][^\n]*  \((?:cost=|actual |never executed))"
_QUERY_LINE = r"^Query Text: (.*)"
_QUERY_MEMBER = r'(?s)^\{\s*"Query Text": ("(?:[^"\\]|\\.)*")'
_CHARACTER = r" (?:at character|bei Zeichen|第|字符|于字符|en carácter|au caractère|al carattere|vid tecken) ?([0-9]+)(?: ?个字符处)?$"


def add(
    records: pl.DataFrame, own: pl.DataFrame, assembly: Assembly, table: pl.DataFrame, layouts: list[int], extra: list[pl.DataFrame]
) -> pl.DataFrame:
    """Add `duration_ms` and the `postgres.*` attributes."""
    mine = records.filter((pl.col("source") == "postgres") | pl.col("layout").is_in(layouts)).select("i", "message", "body", "line_count")
    _continuations(mine, own, assembly, table, extra)
    place = mine["message"].str.extract(_CHARACTER)
    if place.null_count() < place.len():
        extra.append(pl.DataFrame({"i": mine["i"], "value": place}).drop_nulls().select("i", key=pl.lit("postgres.position"), value="value"))
        records = records.with_columns(message=pl.when(pl.col("i").is_in(mine["i"].implode())).then(pl.col("message").str.replace(_CHARACTER, "")).otherwise("message"))
        mine = mine.with_columns(pl.col("message").str.replace(_CHARACTER, ""))
    records = postgres_codes.add(_english(records, layouts))
    full = _full_message(mine, own, assembly)
    duration = full.str.extract(_DURATION)
    plan = full.str.extract(_PLAN)
    timed = (duration.is_not_null() & plan.is_null()).arg_true()
    statement = full.clear(full.len()).scatter(timed, full.gather(timed).str.extract(_STATEMENT))
    log_statement = full.str.extract(r"(?s)^(?:statement|execute [^:]{0,80}|语句|Anweisung): (.*)$")
    for key, values in (
        ("postgres.statement", pl.select(pl.coalesce(statement, log_statement, _query_of(plan))).to_series()),
        ("postgres.plan", plan),
        ("postgres.parameters", plan.str.extract(r"(?m)^Query Parameters: (.*)$")),
    ):
        found = pl.DataFrame({"i": mine["i"], "value": values}).drop_nulls()
        extra.append(found.select("i", pl.lit(key).alias("key"), "value"))
    times = pl.DataFrame({"i": mine["i"], "took": duration.cast(pl.Float64, strict=False)}).drop_nulls()
    if times.is_empty():
        return records
    records = records.join(times, on="i", how="left", maintain_order="left")
    return records.with_columns(duration_ms=pl.coalesce("duration_ms", "took")).drop("took")


def _query_of(plan: pl.Series) -> pl.Series:
    """The statement that auto_explain prints above its plan, in its text and JSON formats."""
    member = plan.str.extract(_QUERY_MEMBER)
    if member.null_count() < member.len():
        member = member.map_elements(lambda text: str(json.loads(text, strict=False)), return_dtype=pl.String)
    return pl.select(pl.coalesce(plan.str.extract(_QUERY_TEXT), plan.str.extract(_QUERY_LINE), member).str.strip_chars()).to_series()


def parameters(pairs: pl.DataFrame) -> pl.DataFrame:
    """Attributes (`key`, `value`) with the bound values that a DETAIL states, as `postgres.parameters`."""
    stated = pairs.filter((pl.col("key") == "postgres.detail") & pl.col("value").str.contains(r"\$1 = "))
    if stated.is_empty():
        return pairs
    values = pl.col("value").str.replace(r"^[^$]*(\$1 = )", "$1")
    return pl.concat([pairs, stated.with_columns(key=pl.lit("postgres.parameters"), value=values)])


def _english(records: pl.DataFrame, layouts: list[int]) -> pl.DataFrame:
    """Severity words of the server's translations in English, so that one word means one thing in the lake."""
    own = pl.col("layout").is_in(layouts) & pl.col("level").is_in(list(ENGLISH))
    return records.with_columns(level=pl.when(own).then(pl.col("level").replace(ENGLISH)).otherwise("level"))


def _full_message(mine: pl.DataFrame, own: pl.DataFrame, assembly: Assembly) -> pl.Series:
    """The message with its own continuation lines, without those of DETAIL and the like."""
    # csvlog's fields hold their newlines themselves.
    many = mine.filter((pl.col("line_count") > 1) & ~pl.col("message").str.contains("\n", literal=True).fill_null(False))
    if many.is_empty():
        return mine["message"]
    parts = _block_texts(own, assembly, many["i"])
    joined = mine.join(parts, left_on="i", right_on="block", how="left", maintain_order="left")
    return joined.select(
        pl.when(pl.col("more").is_not_null()).then(pl.concat_str("message", "more", separator="\n")).otherwise("message")
    ).to_series()


def _block_texts(own: pl.DataFrame, assembly: Assembly, blocks: pl.Series) -> pl.DataFrame:
    """For each block the text after its first line, without the tabs that mark continuation."""
    lines = pl.DataFrame({"i": pl.int_range(own.height, eager=True), "block": assembly.block, "text": own["text"]})
    rest = lines.filter((pl.col("i") != pl.col("block")) & pl.col("block").is_in(blocks.implode()))
    return rest.group_by("block", maintain_order=True).agg(more=pl.col("text").str.replace("^\t", "").str.join("\n"))


def _continuations(
    mine: pl.DataFrame, own: pl.DataFrame, assembly: Assembly, table: pl.DataFrame, extra: list[pl.DataFrame]
) -> None:
    place = pl.DataFrame({"block": assembly.block, "record": assembly.record}).filter(pl.col("block") != pl.col("record"))
    merged = place.unique(maintain_order=True).filter(pl.col("record").is_in(mine["i"].implode()))
    if merged.is_empty():
        return
    heads = table.select(pl.col("row").cast(pl.Int64).alias("block"), "level", "message")
    merged = merged.join(heads, on="block", how="left", maintain_order="left")
    merged = merged.join(_block_texts(own, assembly, merged["block"]), on="block", how="left", maintain_order="left")
    names = {word: f"postgres.{name}" for word, name in CONTINUES.items()}
    frame = merged.select(
        i="record",
        key=pl.col("level").replace_strict(names, default=None, return_dtype=pl.String),
        value=pl.when(pl.col("more").is_not_null()).then(pl.concat_str("message", "more", separator="\n")).otherwise("message"),
    ).drop_nulls()
    extra.append(frame)
