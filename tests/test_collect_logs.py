"""A container's lines come once, in order, from any cursor: against an engine that is imitated, in both its ways.

`FakeEngine` answers like engines before 23 (each line is filtered by `since`) or since 23 (only up to the first hit).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.collect import frames as frames_module
from triage.collect.cursor import Cursor, advance
from triage.collect.docker import engine_time, nanoseconds
from triage.collect.frames import PIECE, Frames
from triage.collect.logs import Log, shown_time
from triage.errors import UnavailableError, UsageError
from triage.schema import LINES, Resource

SECOND = 10**9
START = 1_795_000_000 * SECOND


@dataclass
class FakeEngine:
    """Messages in the order of delivery: (stamp, stream number, payload)."""

    filters_each: bool = True
    messages: list[tuple[int, int, bytes]] = field(default_factory=list)
    chunk: int = 1 << 20
    fail_after: int | None = None  # bytes
    answered: int = START

    def log(self, tail: int | None, since: int | None, until: int | None) -> Iterator[bytes]:
        chosen = self.messages[-tail:] if tail is not None else self.messages
        hit = False
        data = bytearray()
        for stamp, stream, payload in chosen:
            hit = hit or since is None or stamp >= since
            if (since is not None and stamp < since) if self.filters_each else not hit:
                continue
            if until is not None and stamp > until:
                break
            body = shown_time(stamp).encode() + b" " + payload
            data += struct.pack(">BxxxL", stream, len(body)) + body
        for low in range(0, len(data), self.chunk):
            if self.fail_after is not None and low >= self.fail_after:
                raise UnavailableError("broken")
            yield bytes(data[low : low + self.chunk])

    def clock(self) -> int:
        return self.messages[-1][0] if self.messages else START


def reader(engine: FakeEngine, lake: dict[str, int], *, stopped: bool = False) -> Log:
    return Log(
        "docker:x", Resource("s", "c"), engine, tty=False, stopped=stopped, cursor=Cursor.load("docker:x", lake.get)
    )


def collect(engine: FakeEngine, lake: dict[str, int], take: int | None = None, *, stopped: bool = False) -> list[str]:
    """One run of the collector that is killed after `take` lines were committed."""
    texts: list[str] = []
    for batch in reader(engine, lake, stopped=stopped).new():
        assert dict(batch.lines.schema) == LINES
        count = batch.lines.height if take is None else min(take - len(texts), batch.lines.height)
        if count:
            lake.update(batch.cursors_after(count))
            texts += batch.lines["text"].head(count).to_list()
        if take is not None and len(texts) == take:
            break
    return texts


steps = st.sampled_from([0, 0, 1, 1000, 10**6, -(10**6), 10**9, 3 * 10**9, -3600 * 10**9, 3600 * 10**9])
bodies = st.sampled_from(
    [b"a\n", b"\n", b"bb\r\n", b"\xe4\xb8\xad\n", b"\x01\0\0\0\0\0\0\x03abc\n", b"x" * PIECE + b"end\n"]
)


def pieces(stamp: int, stream: int, body: bytes) -> list[tuple[int, int, bytes]]:
    return [(stamp, stream, body[low : low + PIECE]) for low in range(0, len(body), PIECE)]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(steps, st.integers(1, 2), bodies, st.integers(0, 3)), max_size=60),
    st.booleans(),
    st.data(),
)
def test_killed_anywhere_no_line_is_lost_or_doubled(
    script: list[tuple[int, int, bytes, int]], filters_each: bool, data: st.DataObject
) -> None:
    engine, lake = FakeEngine(filters_each=filters_each, chunk=data.draw(st.integers(700, 50_000))), dict[str, int]()
    stamp, got, number, jumped, used = START, [], 0, False, {START}
    kept: Log | None = None  # a follower's, that has seen the answer before
    for step, stream, body, action in script:
        stamp += step
        # A clock that was set back does not hit the very nanoseconds of before.
        jumped |= step < -SECOND
        while jumped and step and stamp in used:
            stamp += 1
        used.add(stamp)
        engine.messages += pieces(stamp, stream, b"%d " % number + body)
        number += 1
        if action == 0:
            got += collect(engine, lake, data.draw(st.integers(1, 5)))
            kept = None
        elif action == 1:
            kept = kept or reader(engine, lake)
            for batch in kept.new():
                got += batch.lines["text"].to_list()
                lake.update(batch.cursors_after(batch.lines.height))
    got += collect(engine, lake)
    got += collect(engine, lake)
    assert [int(text.split(" ")[0]) for text in got] == list(range(number))


def test_what_a_line_imitates_is_no_end_of_an_answer() -> None:
    engine, lake = FakeEngine(messages=[(START + n, 1, b"%d\n" % n) for n in range(3)]), dict[str, int]()
    log, got = reader(engine, lake), list[str]()

    def ask() -> None:
        got.extend(text for batch in log.new() for text in batch.lines["text"])

    ask()
    ask()
    known = answer(engine)
    assert log._ending[1] is not None
    assert log._ending[1].data == known
    engine.messages = [(START + 5, 1, b"a" + known + b"\n")]  # all of before rotated away
    ask()
    assert got == ["0", "1", "2", "a" + known.decode()]


@pytest.mark.parametrize("filters_each", [True, False])
@pytest.mark.parametrize("backwards", [0, 1, 10**6, 1_500_000_000])
def test_long_absence_resumes_from_the_stamp(filters_each: bool, backwards: int) -> None:
    engine, lake = FakeEngine(filters_each=filters_each), dict[str, int]()
    engine.messages = [(START + n * 1000 - (n % 2) * backwards, 1 + n % 2, b"%d\n" % n) for n in range(1000)]
    first = collect(engine, lake, 500)
    more = range(1000, 80_000)
    engine.messages += [(START + n * 1000 - (n % 2) * backwards, 1 + n % 2, b"%d\n" % n) for n in more]
    rest = collect(engine, lake)
    assert [int(text) for text in first + rest] == list(range(80_000))


def test_equal_stamps_are_numbered_and_resumed_between() -> None:
    engine, lake = FakeEngine(messages=[(START, 1 + n % 2, b"%d\n" % n) for n in range(10)]), dict[str, int]()
    (batch,) = reader(engine, lake).new()
    assert batch.lines["seq"].to_list() == list(range(10))
    lake.update(batch.cursors_after(4))
    assert lake == {"docker:x": START, "docker:x#n": 4, "docker:x#low": START}
    (rest,) = reader(engine, lake).new()
    assert rest.lines["text"].to_list() == [str(n) for n in range(4, 10)]
    assert rest.lines["seq"].to_list() == list(range(4, 10))


def test_cursors_need_only_the_batchs_own_rows_however_many_are_carried() -> None:
    engine, lake = FakeEngine(messages=[(START + n, 1, b"%d\n" % n) for n in range(6)]), dict[str, int]()
    log = reader(engine, lake)
    (first,) = log.new()
    engine.messages += [(START + n, 1, b"%d\n" % n) for n in range(6, 9)]
    (second,) = log.new()
    assert second.lines["text"].to_list() == ["6", "7", "8"]
    lake.update(first.cursors_after(5))  # one row of the first batch is carried in front of the second
    assert collect(engine, dict(lake)) == ["5", "6", "7", "8"]
    lake.update(second.cursors_after(2))
    assert collect(engine, lake) == ["8"]


def test_rotation_is_a_gap_with_its_bounds() -> None:
    engine, lake = FakeEngine(messages=[(START + n * SECOND, 1, b"%d\n" % n) for n in range(100)]), dict[str, int]()
    collect(engine, lake, 10)
    del engine.messages[:50]
    batches = list(reader(engine, lake).new())
    assert [t for b in batches for t in b.lines["text"]] == [str(n) for n in range(50, 100)]
    (note,) = [n for b in batches for n in b.notes]
    assert note.startswith("gap: c:")
    assert shown_time(START + 9 * SECOND) in note
    assert shown_time(START + 50 * SECOND) in note
    (gap,) = [g for b in batches for g in b.gaps]
    assert (gap.start, gap.end) == tuple(datetime.fromtimestamp(START // SECOND + s, UTC) for s in (9, 50))
    for batch in batches:
        lake.update(batch.cursors_after(batch.lines.height))
    assert collect(engine, lake) == []


def test_a_broken_answer_is_read_again() -> None:
    engine = FakeEngine(messages=[(START + n, 1, b"%d\n" % n) for n in range(2000)], chunk=64)
    log, got = reader(engine, {}), list[str]()
    engine.fail_after = 9000
    broken = log.new()
    with pytest.raises(UnavailableError):
        got.extend(text for batch in broken for text in batch.lines["text"])
    engine.fail_after = None
    for batch in log.new():
        got += batch.lines["text"].to_list()
    assert [int(t) for t in got] == list(range(2000))


def test_a_long_line_waits_for_its_end_unless_its_container_has_stopped() -> None:
    engine = FakeEngine(messages=[(START, 1, b"x" * PIECE), (START + 1, 2, b"err\n")])
    lake: dict[str, int] = {}
    assert collect(engine, lake) == ["err"]
    engine.messages.append((START, 1, b"tail\n"))
    assert collect(engine, dict(lake)) == ["x" * PIECE + "tail"]
    del engine.messages[-1]
    assert collect(engine, lake, stopped=True) == ["x" * PIECE]


def test_a_last_line_without_newline_is_a_line_and_the_next_start_begins_another() -> None:
    engine, lake = FakeEngine(messages=[(START, 1, b"no newline")]), dict[str, int]()
    assert collect(engine, lake) == ["no newline"]
    engine.messages.append((START + SECOND, 1, b"again\n"))
    assert collect(engine, lake) == ["again"]


def answer(engine: FakeEngine) -> bytes:
    return b"".join(engine.log(None, None, None))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), bodies), max_size=30), st.lists(st.integers(0, 3000), max_size=8))
def test_frames_cut_anywhere_give_the_same_rows(script: list[tuple[int, bytes]], cuts: list[int]) -> None:
    engine = FakeEngine()
    for n, (stream, body) in enumerate(script):
        engine.messages += pieces(START + n // 2, stream, body)
    data = answer(engine)
    whole = Frames(tty=False)
    expected = pl.concat([whole.feed(data), whole.finish(stopped=True)])
    parts, bounds = Frames(tty=False), sorted({0, len(data), *(c for c in cuts if c < len(data))})
    rows = [parts.feed(data[low:high]) for low, high in pairwise(bounds)]
    assert pl.concat([*rows, parts.finish(stopped=True)]).equals(expected)
    assert expected.height == len(script)


def test_an_endless_line_is_given_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "_GROUP", 4)
    engine = FakeEngine(messages=[(START, 1, b"x" * PIECE)] * 10 + [(START, 1, b"end\n")])
    data = answer(engine)
    for size in (1000, 70_000, len(data)):
        frames = Frames(tty=False)
        rows = pl.concat([frames.feed(data[low : low + size]) for low in range(0, len(data), size)])
        assert [len(t) for t in rows["text"]] == [4 * PIECE, 4 * PIECE, 2 * PIECE + 3]


def test_tty_answers_have_no_frames_and_repeat_stamps() -> None:
    one, two, three = (shown_time(START + n) for n in (5, 6, 7))
    own = shown_time(START + 1)
    data = f"{one} a\r\n{one} {'x' * PIECE}{one} y\r\n{two} prompt{three} next {own} own\r\n".encode()
    frames = Frames(tty=True)
    rows = pl.concat([frames.feed(data), frames.finish(stopped=False)])
    assert rows["text"].to_list() == ["a", "x" * PIECE + "y", "prompt", f"next {own} own"]
    assert rows["position"].to_list() == [START + 5, START + 5, START + 6, START + 7]
    assert frames.pieces >= 5


def test_torn_characters_are_counted_and_engine_errors_kept() -> None:
    engine = FakeEngine(messages=[(START, 1, b"x" * (PIECE - 3) + "�".encode()), (START, 1, "�y\n".encode())])
    frames = Frames(tty=False)
    frames.feed(answer(engine))
    assert frames.split_characters == 1
    frames = Frames(tty=False)
    frames.feed(answer(FakeEngine(messages=[(START, 1, b"a\n"), (START, 3, b"error from daemon")])))
    assert frames.errors
    with pytest.raises(UnavailableError, match="not a Docker log stream"):
        Frames(tty=False).feed(b"2026-02-03T10:00:00Z text without frames\n")


def test_offsets_and_short_fractions_of_stamps_are_understood() -> None:
    frames = Frames(tty=True)
    rows = frames.feed(
        b"2026-02-03T11:00:00.5+01:00 a\n2026-02-03T10:00:00.500000001Z b\nno stamp\n2026-02-03T10:00:00Z \n"
    )
    base = nanoseconds("2026-02-03T10:00:00.5Z")
    assert base is not None
    assert rows["position"].to_list() == [base, base + 1, base + 1, base - SECOND // 2]
    assert rows["text"].to_list() == ["a", "b", "no stamp", ""]


def test_a_clock_set_back_moves_the_anchor() -> None:
    stamps = pl.Series([100 * SECOND, 101 * SECOND, 50 * SECOND, 50 * SECOND, 49 * SECOND])
    assert advance(None, stamps) == Cursor(50 * SECOND, 3, 49 * SECOND)
    assert advance(None, pl.Series([5, 7, 6])) == Cursor(7, 2, 6)


def test_times_keep_their_nanoseconds() -> None:
    assert nanoseconds("2026-02-03T10:00:00.123456789Z") == 1_770_112_800_123_456_789
    assert nanoseconds("1770112800.123456789") == 1_770_112_800_123_456_789
    assert nanoseconds("2026-02-03T12:00:00+02:00") == 1_770_112_800 * SECOND
    assert nanoseconds(datetime(2026, 2, 3, 10, tzinfo=UTC)) == 1_770_112_800 * SECOND
    assert engine_time(1_770_112_800_000_000_001) == "1770112800.000000001"
    with pytest.raises(UsageError, match="not a time"):
        nanoseconds("yesterdayish")
