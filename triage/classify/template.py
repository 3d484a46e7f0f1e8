"""Templates (a message with its variables masked) and fingerprints (a stable number for what is the same event).

Both depend on one record alone: the same across runs, batch borders, machines and Python versions.
"""

from __future__ import annotations

import hashlib

import polars as pl

from triage.classify.masking import folded, looked_up, template_table

VERSION = "2"  # of the fingerprint: raise it when masking changes, since stored fingerprints then no longer compare

_FRAME = r'File "[^"]+", line \d+, in [^\s]+'
_FOREIGN = r"/site-packages/|/dist-packages/|/lib/python\d|<frozen |<string>|\\lib\\site-packages\\"
_PLACE = r'^File "(?:.*?[/\\])?((?:[^"/\\]+[/\\]){0,2}[^"/\\]+)", line \d+, in '
_OWN_FRAMES = 6  # the innermost ones: callers further out vary with the entry point


def with_template(records: pl.DataFrame) -> pl.DataFrame:
    """The records with `template` and `fingerprint`."""
    shapes = folded(records["message"])
    table = template_table(shapes)
    table = table.with_columns(fingerprint=pl.Series([fingerprint(text) for text in table["template"]], dtype=pl.UInt64))
    found = looked_up(shapes, table)
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
