"""What a program's own middleware says of a request: `GET /x -> 500 in 30 ms`, `request completed method=GET path=/x status=500`.

Nobody's format, and anybody's text can hold such words. So the message must be nothing else: it begins with words that
name a request, and what is read stands in one run behind them, of keys whose values nobody types.
"""

from __future__ import annotations

import polars as pl

from triage.parse import logfmt
from triage.parse.layout import ascii_classes

_METHOD = "|".join(logfmt.METHODS)
# What may stand before the request: something in brackets, a client, and words that say no more than that it was answered.
_WORD = (
    r"(?i:https?|api|web|incoming|slow|requests?|response|access|handled|completed?|finished|processed|served|done|ended"
    r"|(?:request|http|access)[_.\-](?:completed|finished|ended|done|processed|handled|request|access|log))|请求|响应|完成|处理|访问|接口|慢|结束"
)
_LABEL = rf"^(?:\[[^\]\n]{{1,60}}\] ?)?(?:(?:{_WORD})[ :,|\-]{{0,3}}){{0,4}}(?:[0-9a-fA-F]*[.:][0-9a-fA-F.:]{{3,40}}(?: -)? )?"
_KEY = (
    rf"(?:{logfmt.METHOD}|{logfmt.PATH}|{logfmt.STATUS}|{logfmt.TIMES}|proto|protocol|(?:request|req|trace|span|user|job|task|correlation|tenant)_?[iI][dD]"
    r"|client|client_ip|ip|remote_addr|remote_ip|host|service|env|size|bytes|length|level)"
)
_RUN = rf"(?:{_KEY}=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;|]*)(?:[,;]?(?: \|)? +|[,;]?$))+"
_ARROW = r"->|=>|→"
_TO = rf"(?:[,:;]? | ?(?:{_ARROW}) ?)(?:(?:{_ARROW}|[\-–|]) )?(?:(?:completed|finished|responded|returned|answered|with) )*(?:(?i:status(?:[_ ]?code)?|code)[=: ] ?)?[\[(]?"
_REASON = (
    r"(?:OK|Created|Accepted|No Content|Moved|Found|See Other|Not|Temporary|Permanent|Bad|Unauthorized|Payment|Forbidden|Method|Request|Conflict"
    r"|Gone|Precondition|Payload|Unprocessable|Locked|Too|Internal|Service|Gateway)\b"
)
# What may stand behind a status: `GET /items 500 rows` has none.
_REST = (
    rf"(?:$|[,;\])]| ?(?:{_ARROW}|[(\[|])| [\-–] | (?:in|took|after) \d| {_REASON}| (?:{logfmt.TIMES})[=: ]| {_KEY}="
    rf"| (?:(?:\d+|-) ){{0,2}}\d+(?:\.\d+)? ?(?:{logfmt.UNIT})(?:$|[\s),;|]))[^\n]*"
)
_LINE = ascii_classes(
    rf"{_LABEL}[\"'`]?\[?(?P<method>{_METHOD})\]? (?P<path>/[^\s\"'`]*?)(?: HTTP/[\d.]+)?[\"'`]?"
    rf"(?:{_TO}(?P<status>[1-5]\d\d)(?P<rest>{_REST})|[,:|]? (?:[\-|] )?(?P<pairs>{_RUN}))"
)
_PAIRS = ascii_classes(rf"{_LABEL}(?P<pairs>{_RUN})")
_MAY = ascii_classes(rf"\b(?:{_METHOD})[ \"'\]]+/|method=[\"']?(?:{_METHOD})\b")
_ATTRIBUTES = {"method": "http.request.method", "path": "url.path"}


def add(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    """Complete `status`, `duration_ms` and `source` of the messages that tell an answered request, and add its attributes."""
    may = records["status"].is_null() & records["source"].is_in(["app", "other"])
    rows = may.arg_true()
    rows = rows.filter(records["message"].gather(rows).str.contains(_MAY).fill_null(False))
    if rows.is_empty():
        return records
    found = pl.concat([records.select("i")[rows], read(records["message"].gather(rows))], how="horizontal").filter(pl.col("told").is_not_null())
    for name, key in _ATTRIBUTES.items():
        extra.append(found.select("i", pl.lit(key).alias("key"), value=pl.col(name)))
    records = records.join(found.select("i", "told", "took"), on="i", how="left", maintain_order="left")
    return records.with_columns(
        status=pl.coalesce("status", "told"), duration_ms=pl.coalesce("duration_ms", "took"),
        source=pl.when(pl.col("told").is_not_null()).then(pl.lit("app")).otherwise("source"),
    ).drop("told", "took")  # fmt: skip


def read(message: pl.Series) -> pl.DataFrame:
    """`method`, `path`, `told` (the status) and `took` (ms) of each message; nulls where it is no answered request."""
    line = message.str.extract_groups(_LINE).struct.unnest()
    behind = pl.format("method={} path={} {}", line["method"], line["path"], line["pairs"])  # null where one is
    pairs = logfmt.request(pl.select(pl.coalesce(behind, message.str.extract(_PAIRS))).to_series())
    found = pl.DataFrame({
        "method": line["method"].fill_null(pairs["method"]), "path": line["path"].fill_null(pairs["path"]),
        "told": line["status"].fill_null(pairs["told"]), "took": logfmt.took(line["rest"]).fill_null(pairs["took"]),
    })  # fmt: skip
    whole = pl.all_horizontal(pl.col("method", "path", "told").is_not_null())
    return found.select(pl.when(whole).then(pl.col(name)).alias(name) for name in found.columns)
