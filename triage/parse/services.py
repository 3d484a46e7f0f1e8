"""Layouts of what stands beside an application: Docker's daemon, Go, the JVM, .NET, PHP, Ruby, Node, MySQL, MongoDB, PgBouncer, Ansible.

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
        r"(?P<head>)(?:panic: |fatal error: |thread '[^'\n]+' (?:\(\d+\) )?panicked at |terminate called after throwing |runtime: out of memory|Exception in thread \")",
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
        r"(?P<head>)(?:(?:docker: )?Error response from daemon: |dependency failed to start: container \S+ |service \"[^\"\n]+\" didn't complete successfully: exit )",
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
    Layout(  # Microsoft.Extensions.Logging's console, whose text stands below, indented: fail: Shop.Orders[20004]
        "dotnet.console", "app",
        r"(?P<head>(?:\[?" + ISO + NUMERIC_ZONE + r"\]? )?(?P<level>trce|dbug|info|warn|fail|crit): (?P<logger>[A-Za-z_][\w.`+<>,]*)\[\d+\](?: |$))",
        single=True,
    ),
    Layout(  # MongoDB before 4.4: 2019-02-03T10:00:00.123+0000 I NETWORK  [conn1] text, which may end with its duration
        "mongo.letter", "other",
        r"(?P<head>" + ISO + r"(?P<zone>Z|[+-]\d{4}) (?P<level>[DIWEF])\d? (?P<logger>[A-Z_]{2,12}|-) +\[(?P<thread>[^\]\n]+)\] ?)(?:[^\n]* (?P<took>\d+)ms$)?",
    ),
    Layout(
        "php.error", "app",
        r"(?P<head>(?:\[(?P<ts>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d)(?:\.(?P<frac>\d+))?(?: (?P<zone>[A-Z]{3,4}|[A-Z][A-Za-z]+/[\w/\-]+|[+-]\d\d:?\d\d))?\] )?"
        r"PHP (?P<level>(?:Recoverable )?[Ff]atal error|Parse error|Core error|Compile error|Warning|Notice|Deprecated|Strict Standards): +)",
        clock="loose",
    ),
    Layout(  # NestJS: [Nest] 41  - 02/03/2026, 10:00:00 AM     LOG [NestFactory] text
        "node.nest", "app",
        r"(?P<head>\[Nest\] (?P<pid>\d+) +- (?P<ts>\d\d/\d\d/\d{4}, \d{1,2}:\d\d:\d\d(?: [AP]M)?) +(?:(?P<level>LOG|ERROR|WARN|DEBUG|VERBOSE|FATAL) )?(?:\[(?P<logger>[^\]\n]+)\] )?)",
        clock="loose",
    ),
    Layout(
        "node.warning", "app", r"(?P<head>\(node:(?P<pid>\d+)\) (?:\[\w+\] )?)\w*Warning: ", clock="none", tags=frozenset({"warning"}),
    ),
    Layout("node.npm", "other", r"(?P<head>npm (?P<level>ERR|error|WARN|warn|notice|info|verb)!? )", clock="none", single=True),
    Layout(  # winston's simple format, and anybody's; inside another record it is a line of its text
        "node.level", "app", r"(?P<head>(?P<level>error|warn|info|debug|verbose|http|silly): +)[^\s]", tier=7, clock="none", tags=frozenset({"weak"}),
    ),
    Layout(
        "go.gin_debug", "app", r"(?P<head>\[GIN-(?P<level>debug)\] )", clock="none", unless=r"^\[GIN-debug\] \[(?:WARNING|ERROR)\]",
    ),
    Layout(  # Ansible: fatal: [host]: FAILED! => …
        "ansible.failed", "other", r"(?P<head>)(?:fatal|failed): \[[^\]\n]+\]: (?:FAILED|UNREACHABLE)!|failed: \[[^\]\n]+\] ", clock="none", single=True,
        tags=frozenset({"error"}),
    ),
    Layout("ansible.told", "other", r"(?P<head>)(?:(?:TASK|PLAY|RUNNING HANDLER) (?:\[|RECAP )|(?:ok|changed|skipping|included|ignored): \[)", clock="none", single=True),
    Layout(  # gateways built on gin, which log as it does: [ERR] 2026/02/03 - 10:00:00 | <request> | text
        "go.gin_styled", "app",
        r"(?P<head>\[(?P<level>SYS|INFO|WARN|ERR|ERROR|FATAL|DEBUG)\] (?P<ts>\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d) \| (?:(?P<req>[\w\-]{16,}|SYSTEM) \| )?)", clock="gin",
    ),
    Layout(  # Sidekiq: 2026-02-03T10:00:00.123Z pid=1 tid=abc class=HardWorker jid=… INFO: text
        "ruby.sidekiq", "app", r"(?P<head>" + ISO + r"(?P<zone>Z) pid=(?P<pid>\d+) tid=(?P<thread>\w+)(?: \w+=\S+)* (?P<level>DEBUG|INFO|WARN|ERROR|FATAL): )",
    ),
    Layout(  # PgBouncer: 2026-02-03 10:00:00.123 UTC [1] LOG C-0x55…: db/user@host text
        "pgbouncer.line", "other",
        r"(?P<head>" + ISO + r" (?P<zone>[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?) \[(?P<pid>\d+)\] (?P<level>FATAL|ERROR|WARNING|LOG|DEBUG|NOISE) )[^\s]",
    ),
    Layout("postgres.client", "app", r"(?P<head>psql: (?P<level>error|FATAL|ERROR|warning): +)", clock="none", single=True),
)
