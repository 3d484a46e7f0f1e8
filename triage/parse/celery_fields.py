"""What Celery's own messages state about a task, by the texts of celery/worker/strategy.py, request.py and app/trace.py."""

from __future__ import annotations

import re

import polars as pl

from triage.parse.layout import ascii_classes
from triage.parse.text import contains_where

_NAME = r"(?P<name>[\w.\-:]+)\[(?P<id>[\w\-]+)\]"
_TASK = ascii_classes(rf"^(?:Task )?{_NAME}:?")
# A name that somebody gave with spaces, where the sentence tells its end.
_SPACED = ascii_classes(
    r"^(?:Received task: |Task )?(?P<name>[\w.\-:]+(?: [\w.\-:&()/]+){1,7})\[(?P<id>[0-9a-f]{8}-[0-9a-f\-]{27})\](?:: | (?:received|started|succeeded|raised|retry|rejected|ignored)|\s*$)"
)
_STATES: tuple[tuple[str, str], ...] = (
    ("received", r"^(?:Task |Received task: )[^\[]+\[[^\]]+\](?: received|:?$|\s+ETA:|\s+expires:|:\s*(?:$|ETA:))"),
    ("started", r"^Task [^\[]+\[[^\]]+\] started"),
    ("succeeded", r"^Task [^\[]+\[[^\]]+\] succeeded in "),
    ("failed", r"^Task [^\[]+\[[^\]]+\] raised (?:unexpected|expected): |^Task [^\[]+\[[^\]]+\] INTERNAL ERROR: "),
    ("retry", r"^Task [^\[]+\[[^\]]+\] retry: "),
    ("rejected", r"^Task [^\[]+\[[^\]]+\] (?:rejected|reject requeue=)|^Rejecting "),
    ("revoked", r"^(?:Discarding revoked task: |Task [^\[]+\[[^\]]+\] revoked)"),
    ("ignored", r"^Task [^\[]+\[[^\]]+\] ignored"),
    ("timeout", r"^(?:Soft|Hard) time limit \("),
    ("lost", r"^Task handler raised error: WorkerLostError"),
    ("unregistered", r"^Received unregistered task of type "),
    ("sent", r"^Scheduler: Sending due task "),
)
_ID = r"\[[0-9a-f]{8}-[0-9a-f\-]{27}\]"
_ELSEWHERE = ascii_classes(rf"(?: for |revoked task: |Received task: |Rejecting |^Task accepted: ){_NAME}")
_SENT = ascii_classes(r"^(?P<name>[\w.\-:]+) sent\. id->(?P<id>[\w\-]+)")
_DUE = ascii_classes(r"^Scheduler: Sending due task (?P<entry>.+) \((?P<name>[\w.\-:]+)\)\s*$")
_RETRY_IN = r"Retry in ([0-9.]+)s|Trying again in ([0-9.]+) seconds"
_RAISED = ascii_classes(
    r"(?:raised (?:unexpected|expected)|Retry in [\d.]+s|retry|Task handler raised error|INTERNAL ERROR): "
    r"(?P<type>[A-Za-z_][\w.]*)\((?P<args>(?s:.*))\)\s*$"
)
_ANY_STATE = "|".join(f"(?:{regex})" for _, regex in _STATES)
# One of these is in every message that any of the regexes can match that are not asked of all messages.
_RARE = "|".join(map(re.escape, [" for ", "Task accepted: ", " sent. id->", "revoked task: ", "Received task: ", "Rejecting ", "Sending due task ", "unregistered task", "Retry in ",
         "Trying again in ", "raised ", "retry: ", "INTERNAL ERROR: ", "exited with '"]))  # fmt: skip


def add(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    """Add task_id, task_name, duration, exception and the `celery.*` attributes to Celery's records."""
    own = records.filter(pl.col("source").is_in(["celery", "beat"])).select("i", "message")
    message = own["message"].fill_null("")
    direct, state = message.str.extract_groups(_TASK).struct.unnest(), _state(message)
    # What a task got or gave back tells nothing more about it, whatever words are in it.
    quiet = (direct["id"].is_not_null() & state.is_in(["received", "started", "succeeded"])).fill_null(False)
    rare = contains_where(message, ~quiet, _RARE)
    other = _groups_where(message, rare, _ELSEWHERE)
    due = _groups_where(message, rare, _DUE)
    sent = _groups_where(message, rare, _SENT)
    spaced = _groups_where(message, contains_where(message, direct["id"].is_null(), _ID), _SPACED)
    runtime = message.str.extract(r"succeeded in ([0-9.eE+\-]+)s")
    unregistered = _groups_where(message, rare, r"^Received unregistered task of type '(?P<name>[^']+)'")["name"]
    wait = _groups_where(message, rare, _RETRY_IN)
    thrown = _groups_where(message, rare, _RAISED)
    seconds = runtime.cast(pl.Float64, strict=False)
    found = own.select("i").with_columns(
        task_id_found=pl.select(pl.coalesce(direct["id"], other["id"], sent["id"], spaced["id"])).to_series(),
        task_name_found=pl.select(pl.coalesce(direct["name"], other["name"], due["name"], sent["name"], unregistered, spaced["name"])).to_series(),
        runtime_ms=seconds * 1000,
        type_found=thrown["type"],
        args_found=thrown["args"].str.strip_chars_end(",").str.replace(r"""^['"](?s:(.*))['"]$""", "$1"),
    )
    pairs = {
        "celery.state": state, "celery.runtime_s": runtime, "beat.entry": due["entry"],
        "celery.retry_in_s": pl.select(pl.coalesce(wait["1"], wait["2"])).to_series(),
        "celery.exit": _groups_where(message, rare, r"exited with '(?P<exit>[^']+)'")["exit"],
    }  # fmt: skip
    for key, values in pairs.items():
        if values.null_count() < values.len():
            extra.append(pl.DataFrame({"i": own["i"], "value": values}).drop_nulls().select("i", pl.lit(key).alias("key"), "value"))
    records = records.join(found, on="i", how="left", maintain_order="left")
    return records.with_columns(
        task_id=pl.coalesce("task_id", "task_id_found"),
        task_name=pl.coalesce("task_name", "task_name_found"),
        duration_ms=pl.coalesce("duration_ms", "runtime_ms"),
        exception_type=pl.coalesce("exception_type", "type_found"),
        exception_message=pl.coalesce("exception_message", "args_found"),
    ).drop("task_id_found", "task_name_found", "runtime_ms", "type_found", "args_found")


def _state(message: pl.Series) -> pl.Series:
    """The first of _STATES that a message tells; asked in turn of those that tell any and have none yet."""
    found: list[pl.DataFrame] = []
    rest = pl.DataFrame({"row": pl.int_range(message.len(), dtype=pl.UInt32, eager=True), "text": message})
    rest = rest.filter(message.str.contains(_ANY_STATE))
    for name, regex in _STATES:
        if rest.is_empty():
            break
        mask = rest["text"].str.contains(regex)
        found.append(rest.filter(mask).select("row", state=pl.lit(name)))
        rest = rest.filter(~mask)
    states = pl.Series("state", [None], dtype=pl.String).new_from_index(0, message.len())
    told = pl.concat(found) if found else None
    return states if told is None else states.scatter(told["row"], told["state"])


def _groups_where(message: pl.Series, mask: pl.Series, regex: str) -> pl.DataFrame:
    """The groups of a regex where the mask is set, null elsewhere."""
    groups = message.filter(mask).str.extract_groups(regex).struct.unnest()
    rows, nothing = mask.arg_true(), pl.Series([None], dtype=pl.String)
    return groups.select(
        nothing.new_from_index(0, message.len()).scatter(rows, groups[name]).alias(name) for name in groups.columns
    ) if len(rows) else pl.DataFrame({name: nothing.new_from_index(0, message.len()) for name in groups.columns})
