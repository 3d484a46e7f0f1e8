"""Celery's worker and beat: `[2026-02-03 10:00:00,123: INFO/MainProcess] message`, and their start banners."""

from __future__ import annotations

from triage.parse.layout import ISO, Layout

LAYOUTS = (
    Layout(
        "celery.line",
        "celery",
        # Up to Celery 3.0 a task's lines named it in brackets.
        r"(?P<head>\[" + ISO + r": (?P<level>[A-Z]+)/(?P<thread>[^\]]+)\] ?(?:\[(?P<task_name>[\w.]+)\((?P<task_id>[\w\-]+)\)\] ?)?)",
        tags=frozenset({"task"}),
    ),
    Layout("celery.banner", "celery", r"(?P<head>) -{6,} \S+@\S+ v\d[^\n]*", tags=frozenset({"banner"})),
    Layout("celery.shutdown", "celery", r"(?P<head>)worker: (?:Warm|Cold|Hitting|Shutting)[^\n]*", single=True),
    Layout("celery.beat_banner", "beat", r"(?P<head>)celery beat v\d[^\n]*is starting\.", tags=frozenset({"banner"})),
)
