"""What an answer of the engine holds behind the one before, told by its bytes.

Following asks for the last lines again and again, and most of an answer is known. Where its bytes go on from those of
the answer before, only the new frames are decoded, and one by one: they are few, and a vectorised step costs more than
a dozen of them. All that is not plain (a line in pieces, without a newline or of another encoding, many lines) is left
to `frames` and to the search for the cursor's anchor, which need no memory of an answer.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import timegm
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from triage.collect.cursor import Occurrences
from triage.collect.frames import HEADER_BYTES, ROWS, STREAMS, walk

_ENDING = 64  # frames by which an answer's end is found again
_FEW = 256
_PLAIN = re.compile(rb"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z ")


@dataclass(frozen=True, slots=True)
class Ending:
    """The last frames of an answer all of whose lines were whole, and how their equal stamps were numbered."""

    data: bytes
    numbers: Occurrences

    @classmethod
    def of(cls, answer: bytes, numbers: Occurrences, starts: list[int] | None = None) -> Ending | None:
        """The ending of an answer; None for an empty one."""
        starts = starts if starts is not None else walk(answer)[0]
        return cls(answer[starts[-min(_ENDING, len(starts))] :], numbers) if starts else None

    def behind(self, answer: bytes, tail: int) -> tuple[pl.DataFrame, Ending | None] | None:
        """The rows (ROWS and `seq`) behind this ending in a later answer of at most `tail` frames, and that one's ending.

        None where the bytes alone do not tell.
        """
        at = answer.find(self.data)
        if at < 0 or answer.find(self.data, at + 1) >= 0:
            return None
        starts, end = walk(answer)
        first = bisect_left(starts, at)
        if end != len(answer) or starts[first : first + 1] != [at]:  # cut short, or a line's text that imitates frames
            return None
        new = bisect_left(starts, at + len(self.data))
        if len(starts) == tail and new - first < _ENDING:
            return None
        rows = _plain_rows(answer, starts[new:]) if len(starts) - new <= _FEW else None
        if rows is None:
            return None
        return rows.hstack([self.numbers.number(rows["position"])]), Ending.of(answer, self.numbers, starts)


def _plain_rows(answer: bytes, starts: list[int]) -> pl.DataFrame | None:
    """The rows of frames up to the answer's end, if each is one whole line of UTF-8 with its stamp."""
    rows = []
    for start, end in pairwise([*starts, len(answer)]):
        stamp = _PLAIN.match(answer, start + HEADER_BYTES, end)
        stream = STREAMS.get(answer[start])
        if stamp is None or stream is None or answer[end - 1] != ord("\n"):
            return None
        try:
            text = answer[stamp.end() : end - 1].decode().removesuffix("\r")
        except UnicodeDecodeError:
            return None
        *moment, fraction = map(int, stamp.groups())
        rows.append((text, timegm((*moment,)) * 10**9 + fraction, stream))
    return pl.DataFrame(rows, schema=ROWS, orient="row")
