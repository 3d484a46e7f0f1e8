"""Templates mask what varies and nothing else; fingerprints never change by run, cut, order or machine."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.classify import masking
from triage.classify import template as module
from triage.classify.masking import mask
from triage.classify.template import fingerprint, with_template

MASKED = {
    "Connection to 10.0.0.7:5432 lost after 3 tries": "Connection to <*> lost after <*> tries",
    "user 'bob' (id=42) logged in from 192.168.0.1": "user <*> (id=<*>) logged in from <*>",
    '127.0.0.1:51234 - "GET /api/v1/users/7?x=1 HTTP/1.1" 200': "<*> - GET <*> HTTP 2xx",
    '127.0.0.1:51234 - "GET /api/v1/users/7?x=1 HTTP/1.1" 503': "<*> - GET <*> HTTP 5xx",
    'HTTP Request: POST https://api.x.com/v1 "HTTP/1.1 429 Too Many Requests"': "HTTP Request: POST <*> HTTP 4xx",
    "Task app.sync[4b3c2a10-9f8e-4d7c-8b6a-5f4e3d2c1b0a] succeeded in 0.0123s: {'a': 1}": "Task app.sync[<*>] succeeded in <*>: <*>",
    "psycopg2.OperationalError: server closed": "psycopg2.OperationalError: server closed",
    "took 12 ms for 3 KB": "took <*> for <*>",
    "wrote /var/log/x/a.log": "wrote <*>",
    "open C:\\x\\y.txt failed": "open <*> failed",
    "mail to wang.wei@mail.example.com bounced": "mail to <*> bounced",
    "resolving db-7.prod.example.com failed": "resolving <*> failed",
    "token [redacted:token:a1b2c3] of bob": "token <*> of bob",
    "deadbeef12345678 done": "<*> done",
    "会话 1234 已关闭": "会话 <*> 已关闭",
    "lease ended for 0a:bb:cc:dd:ee:ff and be:ef:fa:ce:ad:dd": "lease ended for <*> and <*>",
    "listening on fe80::ccec:aff:fe01:1": "listening on <*>",
    "std::add failed in Face::be": "std::add failed in Face::be",
    "alarm set for Fri Jun 17 07:07:00 2005": "alarm set for <*>",
    "is dark: true, locked = false,asked=no": "is dark: <*>, locked = <*>,asked=<*>",
    "no route, truest, falsehood": "no route, truest, falsehood",
    "state=FAILED code=E_AGAIN who=bob": "state=FAILED code=E_AGAIN who=<*>",
    "rhost= ruser=": "rhost= ruser=",
    "r24=0x00ff r25=0x1": "r=<*> r=<*>",
    "Intent { act=com.a.b.GO flg=0x10 }": "Intent { act=<*> flg=<*> }",
    "WorkSource{10113 com.a.b} gone": "WorkSource<*> gone",
    "java.io.IOException: broken": "java.io.IOException: broken",
    "loading class org.a.b.Thing$Inner from disk": "loading class <*> from disk",
    "screen android.net.wifi.SCAN": "screen android.net.wifi.SCAN",
    "start com.a.b/.ui.Main": "start <*>",
    "18846 bytes (18.4 KB) in, 12 bytes in": "<*> in, <*> in",
    "delete blk_1 blk_-22 blk_333": "delete <*>",
    "removed 0|com.a.b|7|null|9": "removed <*>",
    "(news) CMD (run-parts /etc/cron.daily)": "(<*>) CMD (run-parts <*>)",
    "authentication failures for root [preauth]": "authentication failures for <*> [preauth]",
    "No more user methods available": "No more user methods available",
    "now running on tina's account": "now running on <*>'s account",
    "a\n  b": "a b",
    "": "",
}


@pytest.mark.parametrize(("message", "template"), MASKED.items(), ids=list(MASKED))
def test_variables_are_masked_and_words_stay(message: str, template: str) -> None:
    assert mask(pl.Series([message]))[0] == template


def test_a_null_stays_null() -> None:
    assert mask(pl.Series([None, "a 1"], dtype=pl.String)).to_list() == [None, "a <*>"]


def test_stored_fingerprints_still_compare() -> None:
    """A change here is a new VERSION: all that is stored compares no longer."""
    assert module.VERSION == "2"
    assert fingerprint("Connection to <*> lost") == 0x377BF3C5C6AD6735
    assert fingerprint("x", "ValueError", "app/a.py:f\napp/b.py:g") == 0x247699457F6A88E4


def records(rows: list[tuple[str, str | None, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"message": pl.String, "exception_type": pl.String, "body": pl.String}, orient="row")


TRACE = 'Traceback (most recent call last):\n  File "/srv/{root}/src/app/tasks.py", line {n}, in run\n    f()\n' \
    '  File "/usr/lib/python{v}/site-packages/celery/app.py", line {n}, in call\n    g()\nValueError: bad {n}'  # fmt: skip


def test_a_traceback_is_its_own_frames_whatever_line_place_and_message() -> None:
    one = ("bad 1", "ValueError", TRACE.format(root="a", n=1, v="3.9"))
    two = ("something else", "ValueError", TRACE.format(root="b", n=77, v="3.13"))
    other = ("bad 1", "ValueError", TRACE.format(root="a", n=1, v="3.9").replace("in run", "in stop"))
    a, b, c = with_template(records([one, two, other]))["fingerprint"]
    assert a == b != c


ROWS = st.tuples(
    st.one_of(st.sampled_from([*MASKED]), st.text(max_size=40)),
    st.sampled_from([None, "ValueError", "KeyError"]),
    st.sampled_from(["", TRACE.format(root="a", n=1, v="3.9"), 'File "<string>", line 1, in x']),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROWS, max_size=10), st.randoms(use_true_random=False))
def test_order_and_cuts_change_nothing(rows: list[tuple[str, str | None, str]], shuffle: random.Random) -> None:
    whole = with_template(records(rows)).select("template", "fingerprint").rows()
    cut = shuffle.randint(0, len(rows))
    parts = [with_template(records(part)).select("template", "fingerprint") for part in (rows[:cut], rows[cut:])]
    assert pl.concat(parts).rows() == whole
    order = shuffle.sample(range(len(rows)), len(rows))
    moved = with_template(records([rows[i] for i in order])).select("template", "fingerprint").rows()
    assert moved == [whole[i] for i in order]


# Events of programs that the masking was not made for, with the values that they print.
_WORDS = ["root", "webmaster", "chen", "test9", "pgadmin", "oracle", "git", "0101"]
VALUES: dict[str, Callable[[random.Random], Any]] = {
    "user": lambda r: r.choice(_WORDS),
    "ip": lambda r: ".".join(str(r.randint(1, 254)) for _ in range(4)),
    "n": lambda r: r.randint(1, 60_000),
    "f": lambda r: f"{r.random() * 30:.2f}",
    "hex": lambda r: f"0x{r.getrandbits(57):x}",
    "sha": lambda r: f"{r.getrandbits(160):040x}",
    "uuid": lambda r: "-".join(f"{r.getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12)),
    "host": lambda r: r.choice([f"ec2-52-80-{r.randint(1, 99)}-9.cn-north-1.compute.amazonaws.com.cn", "ns.example.org", "10.1.2.3"]),
    "path": lambda r: f"/data/{r.choice(_WORDS)}/blk_{r.randint(-9**9, 9**9)}.log",
    "dns": lambda r: f"{r.choice(_WORDS)}.prod.svc.cluster.local",
}
EVENTS = (
    "sshd accepted key for {user} from {ip} port {n}", "sshd login refused for {user} from {ip} port {n}",
    "unknown user {user} [preauth]", "unknown user {user} from {ip}", "peer {ip} closed [preauth]", "peer {ip} reset [preauth]",
    "lookup of {host} [{ip}] failed", "login session opened for user {user} by (uid={n})", "login session closed for user {user}",
    "[vm: {uuid}] spawn took {f} seconds", "[vm: {uuid}] build took {f} seconds", "[vm: {uuid}] paused", "[vm: {uuid}] resumed",
    "image {uuid} at ({path}): checking", "image {uuid} at ({path}): in use, on {n} nodes", "removable files: {path}",
    "session {hex} of /{ip}:{n} expired, timeout {n}ms", "session {hex} of /{ip}:{n} renewed", "received block of size {n} from /{ip}",
    "ballot: {n} (leader), {hex} (round), LOOKING (state)", "ballot: {n} (leader), {hex} (round), LEADING (state)",
    "commit {sha} built in {f}s", "commit {sha} failed after {f}s", "pool {dns} has {n} of {n} members", "volume at {n}% on {host}",
    '{ip} "GET /v2/{sha}/servers HTTP/1.1" status: 200 len: {n}', '{ip} "POST /v2/{sha}/servers HTTP/1.1" status: 202 len: {n}',
    "cache hit ratio={f} keys={n}", "cache evicted keys={n}", "starting", "shutdown complete", "autopurge interval set to {n}",
)  # fmt: skip


def test_grouping_holds_on_programs_that_were_not_tuned_for() -> None:
    """The field's measures: grouping accuracy (records) and F1 of grouping accuracy (templates)."""
    draw = random.Random(1)
    truth = [draw.randrange(len(EVENTS)) for _ in range(3000)]
    texts = [re.sub(r"\{(\w+)\}", lambda m: str(VALUES[m[1]](draw)), EVENTS[event]) for event in truth]
    wanted, got = defaultdict(set), defaultdict(set)
    for row, (event, template) in enumerate(zip(truth, mask(pl.Series(texts)), strict=True)):
        wanted[event].add(row)
        got[template].add(row)
    right = {frozenset(g) for g in got.values()} & {frozenset(g) for g in wanted.values()}
    accuracy = sum(map(len, right)) / len(truth)
    f1 = 2 * len(right) / (len(got) + len(wanted))
    print(f"grouping accuracy {accuracy:.3f}, F1 {f1:.3f}, {len(got)} templates for {len(wanted)} events")
    assert accuracy > 0.95, [t for t, g in got.items() if frozenset(g) not in right]
    assert f1 > 0.95


def test_rules_run_on_shapes_and_not_on_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost guard: work is counted, not timed. A hundred thousand lines of three events are three shapes."""
    hashed: list[str | None] = []
    real = module.fingerprint

    def counted(*key: str | None) -> int:
        hashed.append(key[0])
        return real(*key)

    monkeypatch.setattr(module, "fingerprint", counted)
    texts = [f"{kind} {n} took {n / 7:.3f} ms" for n in range(30_000) for kind in ("read", "write", "sync")]
    result = with_template(records([(t, None, t) for t in texts]))
    assert result["fingerprint"].n_unique() == len(hashed) == 3
    shapes = pl.Series(texts).str.replace_all(masking.FOLDED, "0")
    assert shapes.n_unique() == 3
