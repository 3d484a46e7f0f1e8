"""Layouts of what stands beside an application: Docker's daemon, Go programs, the JVM, MySQL, etcd.

They matter as neighbours: their lines must be cut and dated right, so that they end another program's record.
"""

from __future__ import annotations

from triage.parse.layout import ISO, LEVEL, NUMERIC_ZONE, Layout

LAYOUTS = (
    Layout(  # dockerd, containerd, Prometheus, Grafana: time="…" level=info msg="…"
        "go.logfmt",
        "other",
        r"(?P<head>)(?:(?:sock=\w+ )?(?:time|ts|t|timestamp|level|lvl|at|logger|caller|severity)=(?:\"[^\"]*\"|'[^']*'|[^\s\"']+) +\w[\w.\-]*="
        r"|(?:[\w.\-]+=(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"']*) +)+(?:level|lvl|severity|loglevel|log_level|msg)=)",
        clock="none",
        single=True,
        tags=frozenset({"logfmt"}),
    ),
    Layout(  # what a shell or a runtime writes as the last word of a program
        "process.killed",
        "other",
        r"(?P<head>)(?:Killed|Segmentation fault|Aborted|Bus error|Illegal instruction)(?: \(core dumped\))?\s*$",
        clock="none",
        single=True,
        tags=frozenset({"error"}),
    ),
    Layout(
        "process.panic",
        "other",
        r"(?P<head>)(?:panic: |fatal error: |terminate called after throwing |runtime: out of memory|Exception in thread \")",
        clock="none",
        tags=frozenset({"error"}),
    ),
    Layout(
        "docker.compose_event",
        "other",
        r"(?P<head>)(?:[\w.\-]+ exited with code \d+|Attaching to [\w.\-]+(?:, [\w.\-]+)*|Gracefully stopping\.\.\.[^\n]*)\s*$",
        clock="none",
        single=True,
    ),
    Layout(
        "docker.client_error",
        "other",
        r"(?P<head>)(?:docker: )?Error response from daemon: ",
        clock="none",
        single=True,
        tags=frozenset({"error"}),
    ),
    Layout(
        "go.klog",
        "other",
        r"(?P<head>(?P<level>[IWEF])(?P<ts>\d{4} \d\d:\d\d:\d\d)\.(?P<frac>\d{6}) +(?P<pid>\d+) (?P<place>[\w.\-/]+:\d+)\] )",
        clock="klog",
    ),
    Layout(
        "jvm.spring",
        "app",
        r"(?P<head>" + ISO + NUMERIC_ZONE + r" +" + LEVEL + r" (?P<pid>\d+) --- (?:\[[^\]]*\] ){0,1}\[ *(?P<thread>[^\]]*)\] (?P<logger>\S+) *: )",
    ),
    Layout(
        "jvm.logback",
        "app",
        r"(?P<head>" + ISO + NUMERIC_ZONE + r" \[(?P<thread>[^\]\d][^\]]*)\] " + LEVEL + r" +(?P<logger>[\w.$\[\]/\-]+)(?: -|:) )",
        tier=2,
    ),
    Layout(  # E, [2026-02-03T10:00:00.123456 #12] ERROR -- program: text
        "ruby.logger",
        "app",
        r"(?P<head>[DIWEFA], \[" + ISO + r" #(?P<pid>\d+)\] +(?P<level>DEBUG|INFO|WARN|ERROR|FATAL|ANY) -- (?P<logger>[^:\n]*): ?)",
    ),
    Layout(  # Monolog and Laravel: [2026-02-03 10:00:00] production.ERROR: text
        "php.monolog",
        "app",
        r"(?P<head>\[" + ISO + NUMERIC_ZONE + r"\] (?P<logger>[\w\-]+)\.(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY): )",
        tier=1,
    ),
    Layout(  # 2026-02-03 10:00:00.123456: I tensorflow/core/x.cc:12] text
        "cpp.tensorflow",
        "app",
        r"(?P<head>" + ISO + r": (?P<level>[IWEF]) (?P<place>\S+:\d+)\] )",
        tier=1,
    ),
    Layout(  # where Node shows the line that threw, before the error and its stack
        "node.uncaught",
        "app",
        r"(?P<head>)(?:(?:file://)?/[^\s:]+\.[cm]?[jt]s|node:[\w/]+):\d+\s*$",
        clock="none",
        tags=frozenset({"error"}),
    ),
    Layout(
        "mysql.error",
        "other",
        r"(?P<head>" + ISO + r"(?P<zone>Z|[+-]\d\d:\d\d) (?P<thread>\d+) \[(?P<level>\w+)\] (?:\[(?P<code>MY-\d+)\] )?(?:\[(?P<logger>\w+)\] )?)",
    ),
    Layout(
        "rust.tracing",
        "other",
        r"(?P<head>" + ISO + r"(?P<zone>Z|[+-]\d\d:\d\d) +(?P<level>TRACE|DEBUG|INFO|WARN|ERROR) (?:[\w]+(?:\{[^}]*\})?:)* ?(?P<logger>[\w]+(?:::\w+)+): )",
        tier=2,
    ),
)
