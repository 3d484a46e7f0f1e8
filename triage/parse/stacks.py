"""Exceptions without a Python traceback's head: stacks of the JVM, .NET, Node and Ruby, and an exception's line alone."""

from __future__ import annotations

import polars as pl

from triage.parse.layout import ascii_classes

_PATH = r"(?:[A-Za-z_$][\w$]*\.)+[A-Z][\w$]*(?:\+\w+)?(?:`\d)?"
_CODE = r"(?: \((?:0x[0-9A-F]{8}|-?\d+)\))?"  # .NET's, of the operating system's errors
_FORMS = tuple(
    ascii_classes(regex)
    for regex in (
        rf'(?:^|\n)\s*(?:Exception in thread "[^"\n]*" |Unhandled [eE]xception[.:] )?(?P<type>{_PATH}){_CODE}(?:: (?P<text>[^\n]*))?\n(?:\s*---> [^\n]*\n)*(?:[^\n]*\n)??\s*at ',
        r"(?:^|\n)(?:Uncaught )?(?P<type>[A-Z]\w*Error|[Ee]rror)(?: \[\w+\])?: (?P<text>[^\n]*)\n(?:[^\n]*\n)??\s+at ",
        r"^(?:\[[^\]\n]*\] )?PHP Fatal error: +Uncaught (?P<type>\\?[A-Z][\w\\]*(?:Exception|Error)): (?P<text>[^\n]*?)(?: in /\S+:\d+)?(?:\n|$)",
        r"^\S+:\d+:in [`'][^'\n]*': (?P<text>[^\n]*) \((?P<type>[A-Z][\w:]*)\)",
        r'^\s*File "[^"\n]+", line \d+\n(?:\s[^\n]*\n)*(?P<type>SyntaxError|IndentationError|TabError): (?P<text>[^\n]*)',
        # The end of a traceback whose head is missing.
        r'^(?:\s[^\n]*\n|File "[^"\n]+", line \d+[^\n]*\n)+(?P<type>(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Failure|Timeout|Group|Lost|Exceeded|Violation|Detected|Canceled|Shutdown))(?:: (?P<text>[^\n]*))?(?:\n|$)',
    )
)
# A record that is an exception's line and nothing else: Python's last words when something kept the frames.
_ALONE = ascii_classes(
    r"^(?P<type>socket\.(?:gai|h)?error|(?:[A-Za-z_]\w*\.)+(?:exc|err|errors?|exceptions?)\.[A-Z]\w+|(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w+(?:Error|Exception|Exit|Interrupt|Failure|Timeout|Group|Lost|Exceeded))(?:: (?P<text>(?s:.*))|:?\s*$)"
)
# pydantic's message without the exception's name.
_VALIDATION = ascii_classes(r"^(?:[\w.:\-]+ ){0,3}[1-9]\d* validation errors? for [^\n]+\n(?:\S[^\n]*\n)?  \S[^\n]* [\[(]type=")
_MAY = ascii_classes(r"\n\s*at |^\S+:\d+:in [`']|(?:SyntaxError|IndentationError|TabError): |PHP Fatal error: +Uncaught |" + r'^\s*File "[^"\n]+", line \d+|^\s[^\n]*\n\s*File "')
_FRAME = r'^(?:File ".*", line [0-9]+(?:, in .*)?|(?:file://)?/\S+:[0-9]+|node:\S+:[0-9]+)$'
_CAUSE = ascii_classes(rf"(?s).*\n(?:Caused by: |\s*---> )({_PATH})")


def add(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    """Complete `exception_type` and `exception_message`, and the level and source of records that have no head."""
    bare = pl.col("layout").is_null()
    may = pl.col("exception_type").is_null() & ((pl.col("line_count") > 1) | pl.col("exception").is_not_null() | bare)
    some = records.filter(may).select("i", "layout", text=pl.coalesce("unprefixed", "exception", "body"))
    some = some.filter(pl.col("text").str.contains(_MAY) | (bare & (pl.col("text").str.contains(_ALONE) | pl.col("text").str.contains(_VALIDATION))))
    if some.is_empty():
        return records
    groups = [some["text"].str.extract_groups(regex).struct.unnest() for regex in _FORMS]
    alone = some["text"].str.extract_groups(_ALONE).struct.unnest()
    no_head = some["layout"].is_null()
    groups.append(alone.select(pl.when(no_head).then(pl.col(name)).alias(name) for name in ("type", "text")))
    found = some.select("i", untyped=no_head & some["text"].str.contains(_VALIDATION)).with_columns(
        type_found=pl.select(pl.coalesce(group["type"] for group in groups)).to_series(),
        text_found=pl.select(
            pl.coalesce(pl.when(group["type"].is_not_null()).then(group["text"].fill_null("")) for group in groups)
        ).to_series().str.strip_chars().replace("", None),
    )  # fmt: skip
    root = some.select("i", key=pl.lit("exception.root_type"), value=pl.col("text").str.extract(_CAUSE))
    extra.append(root.drop_nulls())
    records = records.join(found, on="i", how="left", maintain_order="left")
    untyped = pl.col("untyped").fill_null(False)
    headless = untyped | (pl.col("type_found").is_not_null() & (pl.col("layout").is_null() | pl.col("message").str.contains(_FRAME)))
    return records.with_columns(
        exception_type=pl.coalesce("exception_type", "type_found"), exception_message=pl.coalesce("exception_message", "text_found"),
        number=pl.when(headless).then(pl.coalesce("number", pl.lit(17, pl.UInt8))).otherwise("number"),
        source=pl.when(headless & (pl.col("source") == "other")).then(pl.lit("app")).otherwise("source"),
        # A frame or a place is no message.
        message=pl.when(headless & pl.col("message").str.contains(_FRAME)).then(
            pl.concat_str("type_found", pl.col("text_found").str.extract(r"^([^\n]*)"), separator=": ", ignore_nulls=True)
        ).otherwise("message"),
    ).drop("untyped", "type_found", "text_found")  # fmt: skip
