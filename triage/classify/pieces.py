"""Long lines that an engine has cut into pieces of 16 KiB, as its own files hold them: a secret may lie across a cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

_LEAST_BYTES = 16 << 10  # of a piece that is not the last
_FORMS = (
    re.compile(r'^\{"log":"(?P<text>(?:[^"\\]|\\.)*?)(?P<end>\\n)?","stream":"(?P<stream>\w+)"'),
    re.compile(r"^\S+ (?P<stream>stdout|stderr) (?:P|(?P<end>F))(?::\S*)? (?P<text>.*)", re.DOTALL),
)
_BETWEEN = 64  # lines of the other stream between two pieces


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a row from `start` to `end` that belongs to a line."""

    row: int
    start: int
    end: int
    last: bool
    stream: str


def lines(texts: pl.Series) -> Iterator[list[Piece]]:
    """The pieces of each line that lies in several rows."""
    taken = -1
    for row in (texts.str.len_bytes() >= _LEAST_BYTES).fill_null(False).arg_true():
        for form in _FORMS:
            piece = _piece(texts, row, form) if row > taken else None
            if piece and not piece.last and len(found := _from(texts, piece, form)) > 1:
                taken = found[-1].row
                yield found


def _from(texts: pl.Series, first: Piece, form: re.Pattern[str]) -> list[Piece]:
    found = [first]
    row = first.row + 1
    while not found[-1].last and row < min(len(texts), found[-1].row + _BETWEEN):
        piece = _piece(texts, row, form)
        if piece and piece.stream == first.stream:
            found.append(piece)
        row += 1
    return found


def _piece(texts: pl.Series, row: int, form: re.Pattern[str]) -> Piece | None:
    match = form.match(texts[row] or "")
    return Piece(row, *match.span("text"), match["end"] is not None, match["stream"]) if match else None
