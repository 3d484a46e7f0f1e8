"""From records to understanding: each function takes a `Session` and a `Window` and returns frozen values."""

from __future__ import annotations

from triage.analyse.alerts import alerts
from triage.analyse.clock import clock_skew
from triage.analyse.counts import (
    error_groups,
    problem_counts,
    totals,
    unclassified_errors,
)
from triage.analyse.deadlocks import deadlock_pairs, deadlocks
from triage.analyse.impact import impact
from triage.analyse.incidents import incidents
from triage.analyse.memory import memory_trends
from triage.analyse.model import (
    Alert,
    Cause,
    Checkpoint,
    ClockSkew,
    Deadlock,
    DeadlockPair,
    DeadlockProcess,
    ErrorGroup,
    Evidence,
    Impact,
    Incident,
    LockWait,
    MemoryTrend,
    NewTemplate,
    ProblemCount,
    RequestLife,
    RouteImpact,
    Saturation,
    Settings,
    SlowQuery,
    Step,
    Stopped,
    TaskImpact,
    TaskLife,
    TaskSummary,
    TempFile,
    Totals,
    UnclassifiedGroup,
    Window,
)
from triage.analyse.novelty import new_templates, stopped
from triage.analyse.postgres import checkpoints, lock_waits, saturation, temp_files
from triage.analyse.requests import request_lives
from triage.analyse.slow_queries import slow_queries
from triage.analyse.tasks import task_lives, task_summaries, task_table, troubled, went_wrong

__all__ = [
    "Alert",
    "Cause",
    "Checkpoint",
    "ClockSkew",
    "Deadlock",
    "DeadlockPair",
    "DeadlockProcess",
    "ErrorGroup",
    "Evidence",
    "Impact",
    "Incident",
    "LockWait",
    "MemoryTrend",
    "NewTemplate",
    "ProblemCount",
    "RequestLife",
    "RouteImpact",
    "Saturation",
    "Settings",
    "SlowQuery",
    "Step",
    "Stopped",
    "TaskImpact",
    "TaskLife",
    "TaskSummary",
    "TempFile",
    "Totals",
    "UnclassifiedGroup",
    "Window",
    "alerts",
    "checkpoints",
    "clock_skew",
    "deadlock_pairs",
    "deadlocks",
    "error_groups",
    "impact",
    "incidents",
    "lock_waits",
    "memory_trends",
    "new_templates",
    "problem_counts",
    "request_lives",
    "saturation",
    "slow_queries",
    "stopped",
    "task_lives",
    "task_summaries",
    "task_table",
    "temp_files",
    "totals",
    "troubled",
    "unclassified_errors",
    "went_wrong",
]
