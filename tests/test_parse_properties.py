"""What holds for any input: batches change nothing, no line is lost, nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from triage.parse import ParseOptions, assemble, cut, merge, open_from, parse, records, wrappers
from triage.schema import LINES, Resource

OPTIONS = ParseOptions(now=datetime(2026, 11, 24, tzinfo=UTC))
APP = Resource("app")
START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)

# Lines of every kind that assembly must tell apart; `{n}` is replaced by a small number.
POOL = (
    "2026-11-23 17:21:28.26{n} UTC [81{n}] ERROR:  deadlock detected",
    "2026-11-23 17:21:28.26{n} UTC [81{n}] DETAIL:  Process 811 waits for ShareLock",
    "2026-11-23 17:21:28.26{n} UTC [81{n}] STATEMENT:  SELECT 1",
    "2026-11-23 17:21:28.26{n} UTC [81{n}] LOG:  duration: 12.{n} ms  statement: SELECT",
    "\tProcess 812 waits for ShareLock",
    "[2026-11-23 17:22:55,48{n}: INFO/ForkPoolWorker-{n}] Task a.b[0608{n}] received",
    "[2026-11-23 17:22:55,48{n}: ERROR/ForkPoolWorker-{n}] Task a.b[0608{n}] raised unexpected: ValueError('x')",
    "[2026-11-23 17:22:55,48{n}: WARNING/ForkPoolWorker-{n}] Traceback (most recent call last):",
    '[2026-11-23 17:22:55,48{n}: WARNING/ForkPoolWorker-{n}]   File "x.py", line {n}, in f',
    "[2026-11-23 17:22:55,48{n}: WARNING/ForkPoolWorker-{n}] ValueError: {n}",
    "2026-11-23 17:24:36.78470{n}+00:00 [error] <0.67{n}.0> closing AMQP connection",
    "2026-11-23 17:24:36.784703+00:00 [error] <0.673.0> missed heartbeats from client",
    "INFO:     127.0.0.1:3384{n} - \"GET /ok HTTP/1.1\" 200 OK",
    "ERROR:    Exception in ASGI application",
    "INFO:app.batch:done {n}",
    "ERROR:app.batch:failed {n}",
    "2026-11-23 17:21:32,636 INFO app.ai: text {n}",
    "2026-11-23 17:21:32.636 | ERROR    | PID:1{n} | app.ai:page:4{n} - text",
    "[23/11/2026 17:21:3{n}] [WARNING] app.ai - text",
    "17:21:3{n} app.ai INFO text",
    "INFO text {n}",
    "app.ai - ERROR - failed {n}",
    "                    ERROR    indented {n}",
    "╭──────── Traceback (most recent call last) ────────╮",
    "│ ❱ {n} raise ValueError │",
    "╰───────────────────────────────────────────────────╯",
    "java.lang.IllegalStateException: text {n}",
    "\tat com.acme.X.y(X.java:{n})",
    "Caused by: java.io.IOException: {n}",
    '{"event": "task_failed {n}", "level": "error", "timestamp": "2026-11-23T17:21:32.63190{n}Z"}',
    '{"payload": {n}}',
    '{"event": "sum", "level": "info", "value": {n}, "of": {"part": {n}.5}}',
    '{"event": "sum", "level": "info", "value": {n}.25, "of": [{n}]}',
    "{",
    '  "key": {n}',
    "}",
    "Traceback (most recent call last):",
    '  File "/srv/app/main.py", line 9{n}, in f',
    "    raise ValueError({n})",
    "ValueError: text {n}",
    "app.errors.Refused: no {n}",
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
    '"""',
    "",
    "  ",
    "plain text {n}",
    "{n} validation errors for Job",
    "pydantic_core.ValidationError: 1 validation error for Job",
    "prompt.{n}",
    "  Field required [type=missing, input_value={n}]",
    "    For further information visit https://errors.pydantic.dev/{n}",
    "INFO:app:",
    "DETAIL:  Key (id)=({n}) already exists.",
    "[SQL: SELECT {n}]",
    "Killed",
    "Internal Server Error: /boom{n}",
    "1:M 23 Nov 2026 17:21:51.05{n} * Ready",
    "Nov 23 21:34:0{n} db-1 postgres[871{n}]: [5-1] ERROR:  division by zero",
    "Nov 23 21:34:0{n} db-1 postgres[871{n}]: [5-2] STATEMENT:  SELECT 1/0",
    "\x1b[32mINFO\x1b[0m:     Started server process [{n}]",
    "2026-11-23 17:21:3{n} Traceback (most recent call last):",
    '2026-11-23 17:21:3{n}   File "x.py", line {n}, in f',
    "2026-11-23 17:21:3{n} ValueError: shown by Docker Desktop",
    "2026-11-23 17:21:3{n} ",
    '{"log":"INFO:app:shipped {n}","kubernetes":{"container_name":"web"},"date":1795454488.{n}}',
    "web-{n}  | INFO:app:in compose",
    "web-{n}  | Traceback (most recent call last):",
    'web-{n}  |   File "x.py", line 1',
    "web-{n}  | ValueError: composed",
    "2026-11-23T17:21:28.26500000{n}Z stdout P half ",
    "2026-11-23T17:21:28.26500000{n}Z stdout F INFO:app:whole",
    "2026-11-23T17:21:28.26500000{n}Z stderr F ValueError: x",
    "2026-11-23T17:21:28.26500000{n}Z INFO:app:stamped",
    '{"log":"INFO:app:first {n}\\n","stream":"stdout","time":"2026-11-23T17:21:28.26500000{n}Z"}',
    '{"log":"piece {n}","stream":"stdout","time":"2026-11-23T17:21:28.26500000{n}Z"}',
    '{"log":"Traceback (most recent call last):\\n","stream":"stderr","time":"2026-11-23T17:21:28.26500000{n}Z"}',
    '{"log":"ValueError: \\u4e2d\\n","stream":"stderr","time":"2026-11-23T17:21:28.2Z"}',
    "2026-11-23 17:21:28.265 UTC,\"u\",\"d\",8{n},\"[local]\",6741.1,1,\"INSERT\",2026-11-23 17:21:20 UTC,3/1,0,ERROR,23505,\"dup",
    'second line of a quoted field",,,,,,"INSERT",,,"psql","client backend",,0',
)  # fmt: skip
TRACE = "Traceback (most recent call last):"
Stream = tuple[list[str], list[str | None], list[int] | None]  # texts, log_iostream, pauses in ms
LINE = st.builds(lambda text, n: text.replace("{n}", str(n)), st.sampled_from(POOL), st.integers(0, 3))


def frame(texts: list[str], streams: list[str | None], pauses: list[int] | None) -> pl.DataFrame:
    """Lines as a collector gives them; without pauses nobody stamped them."""
    moment, observed = START, []
    for pause in pauses or []:
        moment += timedelta(milliseconds=pause)
        observed.append(moment)
    return pl.DataFrame(
        {
            "text": texts, "position": list(range(len(texts))), "seq": [0] * len(texts),
            "observed_timestamp": observed or [None] * len(texts), "log_iostream": streams,
            "service_name": [None] * len(texts), "container_name": [None] * len(texts),
        },
        schema=LINES,
    )  # fmt: skip


def in_batches(lines: pl.DataFrame, at: list[int]) -> pl.DataFrame:
    """Parse as the pipeline does: what may still grow is carried into the next batch."""
    bounds = sorted({one for one in at if 0 < one < lines.height} | {lines.height})
    carried, before, done = lines.clear(), 0, []
    for bound in bounds:
        held = pl.concat([carried, lines.slice(before, bound - before)])
        before = bound
        found = cut([(held, APP)], OPTIONS)
        keep = held.height if bound == lines.height else open_from(found)[0]
        assert 0 <= keep <= held.height
        assert not found.records.filter((pl.col("first") < keep) & (pl.col("last") >= keep)).height
        done.append(found.until([keep]).read())
        carried = held.slice(keep)
    return pl.concat(done)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    texts = draw(st.lists(LINE, min_size=1, max_size=40))
    size = len(texts)
    names: list[str | None] = [None] * size
    pauses = None
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(["stdout", "stderr"]), min_size=size, max_size=size))
    if draw(st.booleans()):
        pauses = draw(st.lists(st.sampled_from([0, 1, 1500, 2500]), min_size=size, max_size=size))
    return texts, names, pauses


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stream=streams(), cuts=st.lists(st.integers(1, 40), max_size=6))
@example(stream=([TRACE, TRACE, "1 x", "2 x", TRACE, TRACE], ["a", "a", "b", "b", "a", "a"], None), cuts=[4])
def test_cutting_a_stream_into_batches_gives_the_same_records(stream: Stream, cuts: list[int]) -> None:
    lines = frame(*stream)
    moving = ("first_line", "last_line", "open")
    whole = parse(lines, APP, OPTIONS)
    assert_frame_equal(in_batches(lines, cuts).drop(moving), whole.drop(moving))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stream=streams(), cuts=st.lists(st.integers(1, 40), max_size=6))
def test_the_bounds_that_close_a_record_are_the_same_in_every_batch(stream: Stream, cuts: list[int]) -> None:
    lines = frame(*stream)
    moving = ("first_line", "last_line", "open")
    with pytest.MonkeyPatch.context() as patch:
        for module, names in {
            assemble: ("MAX_LINES", "MAX_ROWS_BETWEEN"), records: ("MAX_ROWS_BETWEEN", "POSTGRES_ROWS"),
            merge: ("POSTGRES_ROWS", "LINE_BY_LINE_ROWS"), wrappers: ("MAX_ROWS_BETWEEN", "MAX_PIECES"),
        }.items():  # fmt: skip
            for name in names:
                patch.setattr(module, name, {"MAX_LINES": 4, "MAX_ROWS_BETWEEN": 6, "MAX_PIECES": 2}.get(name, 5))
        whole = parse(lines, APP, OPTIONS)
        assert_frame_equal(in_batches(lines, cuts).drop(moving), whole.drop(moving))


CARRIED = ("web-", "2026-11-23T17", '{"log"', "Nov 23", "\x1b", "2026-11-23 17:21:3{n} ")
PLAIN = [text for text in POOL if not text.startswith(CARRIED)]


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.builds(lambda t, n: t.replace("{n}", str(n)), st.sampled_from(PLAIN), st.integers(0, 3)), max_size=40))
@example(texts=["{", "}"])
def test_every_line_is_in_exactly_one_body(texts: list[str]) -> None:
    found = parse(frame(texts, [None] * len(texts), None), APP, OPTIONS)
    assert sorted(line for body in found["body"] for line in body.split("\n")) == sorted(texts)
    assert found["line_count"].sum() == len(texts)
    assert found["timestamp"].null_count() == 0


@settings(max_examples=60, deadline=None)
@given(data=st.lists(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda t: t.encode("utf-8", "replace"))), max_size=15))
def test_random_bytes_never_raise(data: list[bytes]) -> None:
    texts = [one.decode("utf-8", "replace") for one in data]
    found = parse(frame(texts, [None] * len(texts), None), APP, OPTIONS)
    assert found["timestamp"].null_count() == 0


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(LINE, min_size=1, max_size=6), where=st.integers(0, 200), junk=st.text(max_size=6))
def test_damaged_lines_of_known_formats_never_raise(texts: list[str], where: int, junk: str) -> None:
    damaged = [text[: where % (len(text) + 1)] + junk + text[where % (len(text) + 1) :] for text in texts]
    cut = [text[: where % (len(text) + 1)] for text in texts]
    parse(frame(damaged + cut, [None] * len(damaged + cut), None), APP, OPTIONS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(streams(), min_size=2, max_size=4))
def test_batches_that_are_cut_together_give_the_same_records_as_each_alone(batches: list[Stream]) -> None:
    """Of different origins nothing may flow from one into another: no line, no time, no name."""
    resources = [Resource("app"), Resource("proxy", source="nginx"), Resource("beat", "beat-1", source="beat"), Resource("db")]
    parts = [(frame(*one), resource) for one, resource in zip(batches, resources, strict=False)]
    together = cut(parts, OPTIONS)
    alone = [cut([part], OPTIONS) for part in parts]
    assert open_from(together) == [count for one in alone for count in open_from(one)]
    read, place = together.read(), ["batch", "first_line", "last_line"]
    for number, one in enumerate(alone):
        found, expected = read.filter(pl.col("batch") == number), one.read()
        assert_frame_equal(found.drop(place), expected.drop(place))
        assert found["first_line"].to_list() == [line + together.starts[number] for line in expected["first_line"]]
