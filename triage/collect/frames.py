"""An engine's log answer (`timestamps=1`) to rows: frames apart, stamps off, 16 KiB pieces of a line joined again.

Rows come in the order in which their last piece was delivered, which does not depend on how the bytes were cut.
Feed the answer's bytes; `finish` gives what can still be given at its end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import polars as pl

from triage.collect.decode import MAX_LINE, Blocks, binary_column, byte_column, cut, text_column
from triage.errors import UnavailableError

PIECE = 16384  # the engine splits longer lines, by bytes
_GROUP = MAX_LINE // PIECE  # pieces that are joined at most
_HEADER = struct.Struct(">BxxxL")
HEADER_BYTES = _HEADER.size
STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}
_ENGINE_ERROR = 3
_STAMP_LENGTH = len("2026-02-03T08:00:00.000000000Z ")
_FORMATS = ("%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f%:z")  # Podman writes its local offset
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
_STAMP_INSIDE = r"^\S+ .*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z "
ROWS = {"text": pl.String, "position": pl.Int64, "log_iostream": pl.String}
_PIECES = ROWS | {"whole": pl.Boolean, "size": pl.Int64}


class Frames:
    """Turns the bytes of one answer into rows of ROWS."""

    def __init__(self, *, tty: bool) -> None:
        self.pieces = 0  # messages as the engine counts them
        self.undecodable = 0
        self.split_characters = 0  # torn by the engine at a 16 KiB border, beyond repair
        self.first_stamp: int | None = None
        self.errors: list[str] = []  # what the engine said in the stream instead of a log line
        self._tty = Blocks(0) if tty else None
        self._rest = b""
        self._stamp = 0  # of the last piece, for bytes that have none
        self._open = pl.DataFrame(schema=_PIECES)

    @property
    def open_stamp(self) -> int | None:
        """The lowest stamp of a line whose end has not been seen."""
        low = self._open["position"].min()
        return low if isinstance(low, int) else None

    def feed(self, data: bytes) -> pl.DataFrame:
        """The rows that are complete after these bytes."""
        if self._tty:
            blocks = [block for _, block in self._tty.feed(data)]
            return self._join(self._tty_pieces(b"".join(blocks))) if blocks else pl.DataFrame(schema=ROWS)
        data = self._rest + data
        starts, end = _frame_starts(data)
        self._rest = data[end:]
        return self._join(self._framed_pieces(data[:end], starts)) if end else pl.DataFrame(schema=ROWS)

    def finish(self, *, stopped: bool) -> pl.DataFrame:
        """The rest. A line in pieces has ended only when its container has stopped."""
        rows = pl.DataFrame(schema=ROWS)
        if self._tty:
            tail = b"".join(block for _, block in self._tty.rest())
            short = len(tail) < PIECE
            rows = self._join(self._tty_pieces(tail)) if tail and (stopped or short) else rows
        elif self._rest:
            raise UnavailableError("the engine's answer was cut short", hint="run it again: nothing is lost")
        if stopped and self._open.height:
            rows = pl.concat([rows, _joined(self._open.with_columns(group=_line_numbers())).select(list(ROWS))])
            self._open = self._open.clear()
        return rows

    def _framed_pieces(self, data: bytes, starts: pl.Series) -> pl.DataFrame:
        bounds = pl.concat([starts, pl.Series([len(data)], dtype=pl.Int64)])
        raw = binary_column(data, bounds)
        kinds = byte_column(data).gather(starts)
        if (kinds == _ENGINE_ERROR).any():
            bad = kinds == _ENGINE_ERROR
            self.errors += [value[HEADER_BYTES:].decode("utf-8", "replace").strip() for value in raw.filter(bad)]
            raw, kinds = raw.filter(~bad), kinds.filter(~bad)
        text, undecodable = text_column(raw.to_frame("raw").select(pl.col("raw").bin.slice(HEADER_BYTES)).to_series())
        self.undecodable += undecodable
        return self._stamped(text, kinds.replace_strict(STREAMS, return_dtype=pl.String))

    def _tty_pieces(self, data: bytes) -> pl.DataFrame:
        raw = cut(data, 0)
        self.undecodable += raw.undecodable
        text = raw.text
        again = text.str.contains(_STAMP_INSIDE)
        if again.any():
            # No frame tells where a piece of a long line begins, or a line after one that never got its newline.
            where = again.arg_true()
            # One message of the engine each, or more than there were: the count must not be too low.
            self.pieces += sum(len(_STAMP.findall(value)) - 1 for value in text.gather(where))
            split = text.scatter(where, ["\n".join(_split_at_stamps(value)) for value in text.gather(where)])
            text = split.str.split("\n").explode()
        return self._stamped(text, pl.Series(["stdout"], dtype=pl.String).new_from_index(0, len(text)), whole=True)

    def _stamped(self, text: pl.Series, streams: pl.Series, *, whole: bool = False) -> pl.DataFrame:
        """Stamp and text apart. A line without a stamp keeps all its text and gets the stamp before it."""
        self.pieces += len(text)
        read = text.to_frame("raw").select(_plain_stamp().alias("position"), pl.col("raw").str.slice(_STAMP_LENGTH).alias("text"))
        if read["position"].null_count():
            read = text.to_frame("raw").select(*_any_stamp())
        frame = read.select("text", pl.col("position").forward_fill().fill_null(self._stamp)).with_columns(streams.alias("log_iostream"))
        if frame.height:
            self._stamp = int(frame["position"][-1])
            self.first_stamp = int(frame["position"][0]) if self.first_stamp is None else self.first_stamp
        return frame.with_columns(
            whole=pl.lit(value=True) if whole else pl.col("text").str.ends_with("\n"),
            size=pl.col("text").str.len_bytes().cast(pl.Int64),
        )

    def _join(self, pieces: pl.DataFrame) -> pl.DataFrame:
        """Whole lines of pieces. A piece waits for its next only when it is as long as the engine's limit."""
        pieces = pieces.with_columns(whole=pl.col("whole") | (pl.col("size") < PIECE))
        if not self._open.height and pieces["whole"].all():
            return _lines(pieces)
        numbered = pl.concat([self._open, pieces]).with_columns(group=_line_numbers())
        last_of_stream = pl.col("group") == pl.col("group").max().over("log_iostream")
        ended = pl.col("whole").any().over("log_iostream", "group") | ~last_of_stream
        self._open = numbered.filter(~ended).select(list(_PIECES))
        done = _joined(numbered.filter(ended))
        self.split_characters += int(done["torn"].sum())
        return _lines(done)


def _plain_stamp() -> pl.Expr:
    """Nanoseconds of the stamp in front, as Docker writes all of them; null for any other."""
    raw = pl.col("raw")
    # A second at a time: they repeat, and what is parsed once need not be parsed again.
    seconds = raw.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ns", strict=False).cast(pl.Int64)
    return pl.when(raw.str.contains(f"^{_STAMP.pattern}")).then(seconds + raw.str.slice(20, 9).cast(pl.Int64, strict=False))


def _any_stamp() -> Iterator[pl.Expr]:
    """The position of lines of which some have another stamp or none, and their text behind it."""
    raw = pl.col("raw")
    end = raw.str.find(" ", literal=True).fill_null(0)
    stamp = raw.str.head(end)
    position = pl.coalesce(stamp.str.to_datetime(f, time_unit="ns", strict=False).cast(pl.Int64) for f in _FORMATS)
    yield position.alias("position")
    yield pl.when(position.is_null()).then("raw").otherwise(raw.str.slice(end + 1)).alias("text")


def _line_numbers() -> pl.Expr:
    """Which line of its stream a piece belongs to: a new one after a whole line or with another stamp."""
    new = pl.col("whole").shift(1, fill_value=True) | (pl.col("position") != pl.col("position").shift(1))
    line = new.fill_null(value=True).cum_sum().over("log_iostream")
    # An endless line is given out in parts, at the same places however the bytes arrive.
    within = pl.int_range(pl.len()).over("log_iostream", line) // _GROUP
    return line.cast(pl.Int64) * (1 << 20) + within


def _joined(numbered: pl.DataFrame) -> pl.DataFrame:
    before = pl.col("text").shift(1).over("log_iostream", "group").str.ends_with("�")
    torn = before.fill_null(value=False) | (
        pl.col("text").str.starts_with("�") & (pl.int_range(pl.len()).over("log_iostream", "group") > 0)
    )
    return (
        numbered.with_columns(torn=torn)
        .with_row_index("row")
        .group_by("log_iostream", "group", maintain_order=True)
        .agg(pl.col("text").str.join(""), pl.col("position").first(), pl.col("row").last(), pl.col("torn").sum())
        .sort("row")
    )


def _lines(pieces: pl.DataFrame) -> pl.DataFrame:
    return pieces.select(pl.col("text").str.strip_suffix("\n").str.strip_suffix("\r"), "position", "log_iostream")


def _split_at_stamps(line: str) -> list[str]:
    """The lines that one TTY line holds: the same stamp again continues a long line, a later one begins another.

    An earlier stamp is the program's own text.
    """
    head = line[: line.find(" ") + 1]
    lines = [line[: len(head)]]
    at = len(head)
    for found in _STAMP.finditer(line, at):
        if found[0] < head:
            continue
        lines[-1] += line[at : found.start()]
        at = found.end()
        if found[0] > head:
            head = found[0]
            lines.append(head)
    lines[-1] += line[at:]
    return lines


def _frame_starts(data: bytes) -> tuple[pl.Series, int]:
    """Where frames begin, and the end of the last whole one.

    Places that look like a header are found at once; when each ends where the next begins they are the frames. Log
    text that imitates headers breaks that chain, and then it is walked.
    """
    octets = byte_column(data)
    zero = octets == 0
    heads = (octets <= _ENGINE_ERROR) & ~zero
    for distance in (1, 2, 3):
        heads &= zero.shift(-distance, fill_value=False)
    starts = heads.arg_true().cast(pl.Int64)
    starts = starts.filter(starts + HEADER_BYTES <= len(data))
    if len(starts) and starts[0] == 0:
        size = pl.zeros(len(starts), dtype=pl.Int64, eager=True)
        for place in range(4, 8):
            size = size * 256 + octets.gather(starts + place).cast(pl.Int64)
        ends = starts + HEADER_BYTES + size
        if (ends.head(len(ends) - 1) == starts.tail(len(starts) - 1)).all():
            if ends[-1] <= len(data):
                return starts, int(ends[-1])
            return starts.head(len(starts) - 1), int(starts[-1])
    walked, end = walk(data)
    return pl.Series(walked, dtype=pl.Int64), end


def walk(data: bytes) -> tuple[list[int], int]:
    """Where frames begin, one after the other, and the end of the last whole one."""
    starts, at = [], 0
    while at + HEADER_BYTES <= len(data):
        kind, size = _HEADER.unpack_from(data, at)
        if kind > _ENGINE_ERROR or data[at + 1 : at + 4] != b"\0\0\0":
            raise UnavailableError("the engine's answer is not a Docker log stream", hint="is the container a TTY one?")
        if at + HEADER_BYTES + size > len(data):
            break
        starts.append(at)
        at += HEADER_BYTES + size
    return starts, at
