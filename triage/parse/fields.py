"""The fields of a head, told by their form: a place in the source, a logger, a thread, a process, a request, pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse.layout import ascii_classes, unnamed

if TYPE_CHECKING:
    from triage.parse.heads import Heads

COLUMNS = ("logger", "function", "line", "place", "thread", "pid", "request", "pairs")
MAX_FIELDS = 6  # behind the level
_S = r"[ \t]"
_FILE = r"[\w.\-/\\@]*[\w\-]\.(?:pyx?|go|rs|[cm]?[jt]sx?|java|rb|cc|cpp|h|kt|php)"
_DOTTED = r"[A-Za-z_][\w\-]*(?:\.[\w\-$<>]+)+"
_NAMES_A_THREAD = (
    r"(?:MainThread|MainProcess|(?:Thread|Process|SpawnProcess|ForkProcess|Dummy|AnyIO worker thread)(?:-\d+)?(?: ?\([\w.<>]+\))?"
    r"|[\w\-]*(?:Executor|executor|[Tt]hread|exec|[Ww]orker|[Ll]oop|[Pp]ool)[\w.]*[\-_ ]\d[\w\-]*|asyncio_\d+)"
)
_HEX_ID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F\-]{4,22}|[0-9a-f]{16,32}|req[\w\-]*[\-_]\w[\w\-]*"
# The forms of a whole field, in the order in which they are asked; named groups are COLUMNS.
_FORMS = tuple(
    (name, ascii_classes(rf"^(?:{regex})$"))
    for name, regex in (
        ("place", rf"(?P<place>{_FILE}(?::[\w<>]+)?(?::\d+|\(\d+\)|\[line:\d+\])(?::[\w<>]+)?(?:\(\))?)"),
        ("request", rf"(?:(?i:request_id|req_id|req|rid|correlation_id)[:= ]+)?(?P<request>{_HEX_ID})"),
        ("call", r"(?P<logger>[A-Za-z_<][\w.$\-<>]*):(?P<function>[A-Za-z_<][\w<>.\-]*)(?:\(\))?:(?P<line>\d+)"),
        ("thread", rf"(?P<thread>{_NAMES_A_THREAD})"),
        ("thread", r"(?i:tid|thread|t)[:=# ]+(?P<thread>\d+)|(?P<long>\d{8,20})"),
        ("pid", r"(?i:pid|process|p)?[:=# ]*(?P<pid>\d{1,7})"),
        ("process", rf"(?P<pid>\d{{1,7}})[:/|, \-]+(?P<thread>{_NAMES_A_THREAD}|\d+)"),
        ("process", rf"(?P<thread>{_NAMES_A_THREAD})[:/|, \-]+(?P<pid>\d{{1,7}})"),
        ("pairs", r"(?P<pairs>[\w.\-]+=[^\s\[\]]*(?:[ ,;]+[\w.\-]+=[^\s\[\]]*)*)"),
        ("dotted", rf"(?P<logger>{_DOTTED})(?:[:(](?P<line>\d+)\)?|\(\w*\))?"),
        ("named", rf"(?P<logger>{_DOTTED})[:,|/ ]+(?P<pid>\d{{1,7}})"),
        ("word", r"(?P<logger>[a-z_]\w*(?:-\w+)*)(?:[:(](?P<line>\d+)\)?)?"),
        ("name", r"(?P<logger>[A-Z]\w*(?:-\w+)*)(?:[:(](?P<line>\d+)\)?)?"),
        ("nothing", r"-?"),
    )
)
_TOKEN = ascii_classes(
    rf"^(?P<all>(?:(?P<box>\[[^\[\]\n]*\]|\([^()\n]*\)|\{{[^{{}}\n]*\}}|<[^<>\n]*>)"
    rf"|(?P<word>[A-Za-z_<][\w.$\-<>/\\]*:[\w<>.\-]+:\d+|[\w.\-/\\@<>]+(?::\d+|\(\d+\))(?::[\w<>]+)?|[\w.\-/\\@$<>]+(?:=[^\s,;|]+)?))"
    rf"(?P<mark>{_S}*\|{_S}*|{_S}+--?(?:{_S}+|$)|{_S}*:{_S}+|:$|\]?:|{_S}*[,;]{_S}*|{_S}+|$)?)"
)
_PLAIN_TOKEN = unnamed(_TOKEN)
# A plain word before a space is none, unless it is one of _OWN.
_OWN_WORDS = (
    r"root|httpx|uvicorn|celery|kombu|sqlalchemy|django|asyncio|werkzeug|urllib3|openai|aiohttp|botocore|boto3|requests|alembic|redis"
    r"|pika|httpcore|gunicorn|fastapi|starlette|flask|py4j|__main__|__mp_main__"
)
_MAY_OPEN = ascii_classes(
    rf"^(?:[\[({{<]|[\w.\-/\\@$<>]*[.:(=][\w(]|[\w.\-/\\@$<>]+(?:{_S}*[|:;,]|{_S}+--?(?:{_S}|$)|\t|\]?:)|(?:{_OWN_WORDS})\s|-{_S}|{_NAMES_A_THREAD})"
)
_BARS = r"^[ \t]*\|[ \t]*$|^[ \t]+--?[ \t]*$|\t|^[,;][ \t]*$"
# Words that begin many messages and name no logger, names of files and hosts, and loggers of one word.
_NO_NAME = ascii_classes(
    r"^(?:(?i:error|errors|failed|failure|exception|warning|note|status|result|response|request|info|debug|task|http|https|message|reason|usage|url|line|spawned|exited|stopped|success|reaped|received"
    r"|retry|retrying|timeout|attempt|starting|stopping|loading|loaded|connecting|connected|disconnected|connection|processing|skipping|missing|invalid"
    r"|unable|unknown|unexpected|cannot|could|details?|hint|cause|caused|reason|output|input|stderr|stdout|args|value|key|id|step|total|found|done"
    r"|finished|completed|summary|deprecated|using|version)"
    r"|.*\.(?:ya?ml|json|txt|log|com|org|net|io|dev|local|csv|py|sh|conf|cfg|toml|ini|html?|png|jpe?g|pdf|zip|gz|sql|xml|md|env|lock|db))$"
)
_OWN = rf"^(?:{_OWN_WORDS})$"


# A dotted name or one of a call is a logger rather than any word.
_SURE_KINDS = pl.col("kind").is_in(["call", "dotted", "named"])
_SURE_NAME = pl.when(_SURE_KINDS).then("logger")
_SURE = pl.col("logger").filter(_SURE_KINDS).first()


def _read(tokens: pl.Series) -> pl.DataFrame:
    """`kind` and COLUMNS of each token; no kind where it has no field's form."""
    rest = pl.DataFrame({"token": tokens})
    done = []
    for kind, regex in _FORMS:
        if rest.is_empty():
            break
        mask = rest["token"].str.contains(regex)
        if not mask.any():
            continue
        own = rest.filter(mask)
        groups = own["token"].str.extract_groups(regex).struct.unnest()
        if "long" in groups.columns:
            groups = groups.with_columns(thread=pl.coalesce("thread", "long"))
        done.append(_shaped(pl.concat([own, groups], how="horizontal").with_columns(kind=pl.lit(kind))))
        rest = rest.filter(~mask)
    done.append(_shaped(rest))
    return pl.concat(done, rechunk=True)


def _shaped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None, pl.String)).alias(name) for name in ("token", "kind", *COLUMNS)
    )


def before(text: pl.Series) -> pl.DataFrame:
    """COLUMNS of what stands between the time and the level: every word of it, whatever its separators."""
    distinct = text.unique()
    words = distinct.str.extract_all(ascii_classes(
        rf"\[[^\[\]]*\]|\([^()]*\)|\{{[^{{}}]*\}}|<[^<>]*>|{_NAMES_A_THREAD}|[A-Za-z_<][\w.$\-<>]*:[\w<>.\-]+:\d+|{_FILE}(?::[\w<>]+)?(?::\d+|\[line:\d+\]|\(\d+\))?(?::[\w<>]+)?"
        r"|[\w.\-/@$]+(?::\d+|=[^\s,;|\]]+)?|\d+"
    ))
    long = pl.DataFrame({"text": distinct, "token": words}).explode("token").drop_nulls()
    long = long.with_columns(pl.col("token").str.replace(r"^[\[({<][ \t]*(.*?)[ \t]*[\])}>]$", "$1"))
    read = _read(long["token"].unique())
    long = long.join(read.filter(pl.col("kind").is_not_null()), on="token", maintain_order="left")
    loose = pl.col("kind").is_in(["word", "name"]) & pl.col("logger").str.contains(_NO_NAME)
    long = long.with_columns(logger=pl.when(~loose.fill_null(False)).then("logger"))
    # Of mere words, the last is nearest to the level.
    table = long.group_by("text", maintain_order=True).agg(
        pl.coalesce(_SURE, pl.col("logger").drop_nulls().last()).alias("logger"), _SURE.is_not_null().alias("sure"),
        *(pl.col(name).drop_nulls().first() for name in COLUMNS if name not in ("logger", "pairs")),
        pl.col("pairs").drop_nulls().str.join(" ").replace("", None),
    )
    return text.rename("text").to_frame().join(table, on="text", how="left", maintain_order="left")


def behind(message: pl.Series, after: pl.Series, named: pl.Series, clocked: bool) -> pl.DataFrame:
    """`message` without the fields at its beginning, and COLUMNS of these.

    `after` is what stands behind the level, `named` says whether a logger is known already, `clocked` whether the head has a time.
    """
    size = message.len()
    state = pl.DataFrame({"i": pl.int_range(size, eager=True), "rest": message, "mark": after, "named": named})
    done, found = [], []
    for _ in range(MAX_FIELDS):
        may = state["rest"].str.contains(_MAY_OPEN)
        done.append(state.filter(~may).select("i", "rest"))
        state = state.filter(may)
        if state.is_empty():
            break
        # A log has few distinct fields: each is read once. Taking one off needs no groups, which is the faster search.
        left = state["rest"].str.replace(_PLAIN_TOKEN, "")
        state = state.with_columns(whole=pl.col("rest").str.head(pl.col("rest").str.len_chars() - left.str.len_chars()), left=left)
        state = state.join(_tokens(state["whole"].unique()), on="whole", how="left", maintain_order="left")
        # A message of one word is no field without a message, unless nothing but a field looks like it.
        ends = (pl.col("left").str.strip_chars() == "") & ~pl.col("kind").is_in(["place", "call", "dotted", "thread"])
        is_field = state.select((_is_field(clocked) & ~ends).fill_null(False)).to_series()
        done.append(state.filter(~is_field).select("i", "rest"))
        state = state.filter(is_field)
        if state.is_empty():
            break
        found.append(state.select("i", "kind", *COLUMNS))
        state = state.select("i", rest="left", mark="next", named=pl.col("named") | pl.col("logger").is_not_null())
    done.append(state.select("i", "rest"))
    rest = pl.concat(done, rechunk=True).sort("i")["rest"].str.replace(r"^[->] ", "")  # zerolog sets the text off with >
    if not found:
        return pl.DataFrame({"message": rest}).with_columns(
            *(pl.lit(None, pl.String).alias(name) for name in COLUMNS), sure=pl.lit(None, pl.Boolean)
        )
    columns = {name: _first(found, name, size) for name in COLUMNS if name not in ("logger", "thread", "pairs")}
    sure = _first(found, _SURE_NAME, size)
    columns["logger"] = _or(sure, _first(found, "logger", size))
    mere = _first(found, pl.when(pl.col("kind") == "word").then("logger"), size)
    columns["thread"] = _or(_first(found, "thread", size), mere.zip_with(sure.is_not_null(), mere.clear(size)))
    columns["pairs"] = _joined(found, size)
    return pl.DataFrame({"message": rest, **columns, "sure": sure.is_not_null()})


def _first(found: list[pl.DataFrame], value: str | pl.Expr, size: int) -> pl.Series:
    """Of each row `i` the first value that it has in any of the frames."""
    result = pl.Series([None], dtype=pl.String).new_from_index(0, size)
    for frame in reversed(found):
        told = frame.select("i", value=value).drop_nulls()
        result = result.scatter(told["i"], told["value"]) if told.height else result
    return result


def _or(one: pl.Series, other: pl.Series) -> pl.Series:
    return one.zip_with(one.is_not_null(), other)


def _joined(found: list[pl.DataFrame], size: int) -> pl.Series:
    """All pairs of each row in one text."""
    told = pl.concat(found).select("i", "pairs").drop_nulls().group_by("i", maintain_order=True).agg(pl.col("pairs").str.join(" "))
    return pl.Series([None], dtype=pl.String).new_from_index(0, size).scatter(told["i"], told["pairs"].replace("", None))


def _tokens(whole: pl.Series) -> pl.DataFrame:
    """Kind, COLUMNS, `token`, `box` and `next` (the separator behind it) of each distinct first token."""
    groups = whole.str.extract_groups(_TOKEN).struct.unnest()
    token = groups["box"].str.slice(1).str.strip_suffix("]").str.strip_chars("(){}<> \t").fill_null(groups["word"])
    frame = pl.DataFrame({"whole": whole, "token": token, "box": groups["box"].str.slice(0, 1), "next": groups["mark"].fill_null("")})
    return frame.join(_read(token.drop_nulls().unique()), on="token", how="left", maintain_order="left")


def _is_field(clocked: bool) -> pl.Expr:
    """Whether a token before a separator is a field rather than the message's first word."""
    kind, box, mark = pl.col("kind"), pl.col("box"), pl.col("next")
    plain_name = ~pl.col("token").str.contains(_NO_NAME)
    certain = kind.is_in(["place", "request", "call", "thread", "process"])
    marked = mark.str.contains(_BARS)  # ` - `, ` | ` or a tab stands behind it
    barred = pl.col("mark").str.contains(_BARS) & marked
    # A bare level, a word and a dash are a sentence: `ERROR timeout - retrying`. A time makes them somebody's format.
    sets_apart = marked if clocked else marked & ~mark.str.contains(r"^[ \t]+--?(?:[ \t]+|$)")
    colon = mark.str.contains(r"^[ \t]*\]?:[ \t]*$")
    tight = mark == ":"
    first = ~pl.col("named")  # a second name is the message's subject
    in_box = (
        certain | kind.is_in(["pairs", "dotted", "named"])
        | ((box == "[") & (kind.is_in(["pid", "nothing"]) | ((kind == "word") & first)))
        | ((box == "(") & (kind == "pid"))
        | (kind.is_in(["word", "name", "pid", "nothing"]) & (marked | colon))
    )
    tightly = tight & ~pl.col("mark").str.contains(":", literal=True)
    bare = (
        (certain & ~tightly) | (kind.is_in(["dotted", "named"]) & plain_name & ~tightly & (first | marked | colon))
        | ((kind == "word") & plain_name & ((sets_apart & first) | barred | (colon & ~tightly & first)))
        | ((kind == "word") & first & pl.col("token").str.contains(_OWN) & (mark != ""))
        | (kind.is_in(["name", "pid", "pairs", "nothing"]) & barred)
    )
    return kind.is_not_null() & pl.when(box.is_not_null()).then(in_box).otherwise(bare & (pl.col("next") != ""))


def pairs(rows: pl.Series, text: pl.Series, heads: Heads) -> None:
    """`trace_id=… span_id=…` in a head: each pair as an attribute."""
    frame = pl.DataFrame({"row": rows, "text": text}).drop_nulls()
    each = frame.select("row", pair=pl.col("text").str.extract_all(ascii_classes(r"[\w.\-]+=[^\s,;]+"))).explode("pair").drop_nulls()
    heads.attributes.append(each.select(
        pl.col("row").cast(pl.UInt32), key=pl.col("pair").str.extract(r"^([^=]+)="), value=pl.col("pair").str.extract(r"=(.*)$")
    ))
