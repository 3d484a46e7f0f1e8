"""The kernel's ring buffer: `[12345.678901] text`, and with `dmesg -T` `[Mon Nov 23 17:22:05 2026] text`.

Seconds since boot are no date: such lines take the time of whatever carried them.
"""

from __future__ import annotations

from triage.parse.layout import Layout

LAYOUTS = (
    Layout(
        "kernel.boot_seconds",
        "kernel",
        r"(?P<head>(?:<\d{1,3}>)?(?:kern +:(?P<level>\w+) *: )?\[ *(?P<uptime>\d+\.\d{6})\](?:\[ *[TC]\d+\])? )",
        clock="none",
    ),
    Layout(
        "kernel.dmesg_dated",
        "kernel",
        r"(?P<head>\[(?P<ts>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] )",
        clock="ctime",
    ),
    Layout(  # as syslog hands on what has lost its seconds: each line is a record
        "kernel.out_of_memory",
        "kernel",
        r"(?P<head>)(?:(?:Memory cgroup )?[Oo]ut of memory: Kill|Killed process \d+ \(|oom_reaper: |[\w.\-]+ invoked oom-killer: |oom-kill:constraint="
        r"|Task in /\S* killed as a result|Mem-Info:|Memory cgroup stats for |Tasks state \(memory values)",
        clock="none",
        single=True,
        tier=3,
    ),
    Layout(
        "kernel.dmesg_iso",
        "kernel",
        r"(?P<head>(?:kern +:(?P<level>\w+) *: )(?P<ts>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[.,](?P<frac>\d{1,9})(?P<zone>[+-]\d\d:\d\d) )",
    ),
)
