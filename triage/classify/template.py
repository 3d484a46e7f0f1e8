"""Templates (a message with its variables masked) and fingerprints (a stable number for what is the same event).

Both depend on one record alone: the same across runs, batch borders, machines and Python versions. Masking is done
once for each distinct shape of a message: its digits are folded first, in one cheap pass, so a million lines that
differ by numbers cost what a few hundred cost.
"""

from __future__ import annotations

import hashlib

import polars as pl

VERSION = "1"  # of the fingerprint: raise it when masking changes, since stored fingerprints then no longer compare
MASK = "<*>"
LONGEST = 1500  # characters of a message that take part

_KEEP = "\x01"  # stands for the digits of a name such as psycopg2 while numbers are masked
# Names whose digit is part of the name; folding has made it a 0.
_DIGIT_NAMES = {
    "psycopg": "2", "urllib": "3", "boto": "3", "jinja": "2", "oauth": "2", "OAuth": "2", "neo": "4", "log": "4",
    "md": "5", "base": "64", "utf-": "8", "UTF-": "8", "ec": "2", "s": "3",
}  # fmt: skip
_NAMED_DIGIT = rf"\b({'|'.join(_DIGIT_NAMES)})0(\b|j\b|[_.][A-Za-z])"
_STATUS = {str(d): chr(0x245F + d) for d in range(1, 6)}  # ① … keep the class of an HTTP status through the folding
_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_WORD = r"[A-Za-z0-9_.@/%+~-]"
_HOSTS = r"\b(?:[A-Za-z0-9_-]+\.)+(?:com|net|org|edu|gov|cn|io|de|uk|jp|ru|fr|eu|info|dev|local|localdomain|internal|lan|svc|cluster)(?:\.[a-z]{2})?\b"
_QUOTED = (
    r'"(?:[^"\\]|\\.)*"|(^|[\s=:(\[{,])b?\'(?:[^\'\\]|\\.)*\'|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》|`[^`]*`'
)
# What is folded before the rules run, so that they run on a few hundred shapes and not on every message: UUIDs, hex
# digests and other runs of digits. One regex, since each match costs.
_FOLDED = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:[a-f]{0,8}[0-9]+){2,}[a-f]{0,8}\b|[0-9]+"
)
_HTTP_STATUS = r'HTTP/[0-9.]+\\*"? {}[0-9][0-9](?-u:\b)'
_FOLDED_STATUS = r'(HTTP/0(?:\.0)?\\*"? )0\b'
# In this order, on messages whose digit runs are already folded to one 0.
_RULES: tuple[tuple[str, str], ...] = (
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),
    (r"(?i)\[redacted:[a-z_]+:[0-9a-f]{1,6}\]", MASK),
    (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>,;)\]}]+", MASK),
    (r"([A-Za-z_])\.{3,}(?:0x)?0\b", f"${{1}}... {MASK}"),  # dot leaders of aligned output
    (r'"?\b([A-Z]{3,7}) \S+ HTTP/0(?:\.0)?\\*"?', f"${{1}} {MASK} HTTP/{_KEEP}"),
    (r'"HTTP/0(?:\.0)? ([①-⑤])[^"]*"', f"HTTP/{_KEEP} ${{1}}"),
    (_QUOTED, f"${{1}}{MASK}"),
    (r"[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+", MASK),
    (_HOSTS, MASK),
    (_NAMED_DIGIT, f"${{1}}{_KEEP}${{2}}"),
    (r"HTTP/0(?:\.0)?", f"HTTP/{_KEEP}"),
    (r"\b[A-Za-z]:\\[^\s,;\"']+", MASK),
    (r"(^|[\s=(:,\[<>])(?:\.{0,2}/[^\s,;:\"'()\[\]{}<>=|]+)+/?", f"${{1}}{MASK}"),
    (r"\b(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*:0", MASK),
    (r"\b[0-9a-fA-F]+(?:-[0-9a-fA-F]+){3,}\b", MASK),
    (r"\b([A-Za-z_][A-Za-z0-9_.-]*)=(?:<\*>|[^\s,;&)\]}\"<>]*)", f"${{1}}={MASK}"),
    (rf"[-+]?{_WORD}*0(?:{_WORD}|:[A-Za-z0-9_])*%?", MASK),
    *((f"{name}{_KEEP}", f"{name}{digit}") for name, digit in _DIGIT_NAMES.items()),
    (f"HTTP/{_KEEP}", "HTTP"),
    *((mark, f"{digit}xx") for digit, mark in _STATUS.items()),
    (r"\{[^{}]*\}", MASK),
    (r"\{[^{}]*\}", MASK),
    (r"\{[^{}]*\}", MASK),
    (r"\[[^\[\]]*,[^\[\]]*\]", f"[{MASK}]"),
    (r"\((?:<\*>[,;]?\s*)+\)", f"({MASK})"),
    (r"\b((?i:user|username|account))(:?) [A-Za-z][A-Za-z0-9_.-]*( (?:by|from|on|at|with|logged|does|is|has|was)\b| ?[.,;:)\[(]|$)", f"${{1}}${{2}} {MASK}${{3}}"),
    (r"\bfor [A-Za-z][A-Za-z0-9_.-]* from <\*>", f"for {MASK} from {MASK}"),
    (r"<\*>(?:(?:, ?|[.:/@#_|=+-])+<\*>)+", MASK),
    (r"<\*>(?:[-.:/@#_]*<\*>)+", MASK),
    (rf"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:{_MONTHS}) <\*>", MASK),
    (r"<?<\*> ?(?:[KMGT]i?B|B|k[Bb]|bytes|ms|us|µs|ns|secs?|seconds|minutes|hours)\b", MASK),
    (r"[\s\x00]+", " "),
)  # fmt: skip

_FRAME = r'File "[^"]+", line \d+, in [^\s]+'
_FOREIGN = r"/site-packages/|/dist-packages/|/lib/python\d|<frozen |<string>|\\lib\\site-packages\\"
_PLACE = r'^File "(?:.*?[/\\])?((?:[^"/\\]+[/\\]){0,2}[^"/\\]+)", line \d+, in '
_OWN_FRAMES = 6  # the innermost ones: callers further out vary with the entry point


def mask(messages: pl.Series) -> pl.Series:
    """Templates of the messages."""
    shapes = _shapes(messages)
    return _looked_up(shapes, _table(shapes))["template"]


def _table(shapes: pl.Series) -> pl.DataFrame:
    """Each distinct shape with its template."""
    distinct = shapes.unique()
    return distinct.to_frame("shape").with_columns(template=_masked(distinct))


def _shapes(messages: pl.Series) -> pl.Series:
    """The messages folded, with a mark of the status class of access lines: 200 and 500 are two events."""
    heads = messages.str.head(LONGEST)
    shapes = heads.str.replace_all(_FOLDED, "0")
    rows = heads.str.contains("HTTP/", literal=True).fill_null(False).arg_true()
    if not len(rows):
        return shapes
    told = heads.gather(rows)
    # To test costs a fifth of what it costs to extract, and nearly all answers are successes.
    success = told.str.contains(_HTTP_STATUS.format("2")) & ~told.str.contains(_HTTP_STATUS.format("[1345]"))
    good, rest = rows.filter(success), rows.filter(~success)
    status = heads.gather(rest).str.extract(_HTTP_STATUS.format("([1-5])"))
    rest, status = rest.filter(status.is_not_null()), status.drop_nulls()
    shapes = shapes.scatter(good, shapes.gather(good) + "\x002") if len(good) else shapes
    return shapes.scatter(rest, shapes.gather(rest) + "\x00" + status) if len(rest) else shapes


def _masked(shapes: pl.Series) -> pl.Series:
    """The templates of distinct shapes."""
    parts = shapes.str.extract_groups(r"^(?s:(?P<text>.*?))(?:\x00(?P<status>[1-5]))?$").struct.unnest()
    masked = parts["text"]
    for digit, mark in _STATUS.items():
        marked = masked.str.replace(_FOLDED_STATUS, f"${{1}}{mark}")
        masked = marked.zip_with((parts["status"] == digit).fill_null(False), masked)
    for regex, replacement in _RULES:
        masked = masked.str.replace_all(regex, replacement)
    return masked.str.strip_chars()


def _looked_up(shapes: pl.Series, table: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table of distinct shapes, shape by shape."""
    return shapes.to_frame("shape").join(table, on="shape", how="left", nulls_equal=True, maintain_order="left")


def with_template(records: pl.DataFrame) -> pl.DataFrame:
    """The records with `template` and `fingerprint`."""
    shapes = _shapes(records["message"])
    table = _table(shapes)
    table = table.with_columns(fingerprint=pl.Series([fingerprint(text) for text in table["template"]], dtype=pl.UInt64))
    found = _looked_up(shapes, table)
    thrown = _texts(records, "exception_type").is_not_null().arg_true()
    numbers = found["fingerprint"]
    if len(thrown):
        numbers = numbers.scatter(thrown, _thrown(records[thrown], found["template"].gather(thrown)))
    return records.with_columns(found["template"], numbers.alias("fingerprint"))


def _thrown(records: pl.DataFrame, templates: pl.Series) -> pl.Series:
    """The fingerprints of records with an exception."""
    keys = pl.DataFrame({"template": templates, "type": records["exception_type"], "frames": _frames(records)})
    distinct = keys.unique()
    hashed = pl.Series("fingerprint", [fingerprint(*row) for row in distinct.iter_rows()], dtype=pl.UInt64)
    return keys.join(distinct.with_columns(hashed), on=keys.columns, how="left", nulls_equal=True, maintain_order="left")["fingerprint"]


def fingerprint(template: str | None, exception_type: str | None = None, frames: str | None = None) -> int:
    """The number of an event: of its exception and own frames where it has both, else of its masked message."""
    place = f"frames\0{frames}" if exception_type and frames else f"message\0{template or ''}"
    text = f"{VERSION}\0{exception_type or ''}\0{place}"
    # 63 bits: Delta and most engines that read the lake have no unsigned 64-bit integer.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _texts(records: pl.DataFrame, name: str) -> pl.Series:
    if name in records.columns:
        return records[name]
    return pl.Series(name, [None], dtype=pl.String).new_from_index(0, records.height)


def _frames(records: pl.DataFrame) -> pl.Series:
    """The program's own frames of a traceback as `dir/file.py:function` lines, null where there are none."""
    bodies = _texts(records, "body")
    thrown = (_texts(records, "exception_type").is_not_null() & bodies.str.contains('File "', literal=True)).fill_null(False)
    rows = thrown.arg_true().cast(pl.UInt32)
    empty = pl.Series("frames", [None], dtype=pl.String).new_from_index(0, records.height)
    if not len(rows):
        return empty
    frame = pl.element()
    places = (
        bodies.gather(rows)
        .str.extract_all(_FRAME)
        .list.eval(frame.filter(~frame.str.contains(_FOREIGN)).str.replace(_PLACE, "${1}:"))
        .list.unique(maintain_order=True)
        .list.tail(_OWN_FRAMES)
    )
    joined = places.list.join("\n")
    return empty.scatter(rows, joined.set(joined == "", None))
