"""Layouts of systems around an application: Hadoop, Spark, ZooKeeper, Android, Windows servicing, supercomputers.

Nothing here is diagnosed; a record must be cut, dated and levelled right, so that its message gets a sound template.
"""

from __future__ import annotations

from triage.parse.layout import ISO, Layout

_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|SEVERE|FAILURE)"
_RAS = r"(?:-|[A-Z_0-9]+) (?P<epoch>\d{10}) \d{4}\.\d\d\.\d\d (?P<host>\S+) "  # alert, time, date, node

LAYOUTS = (
    Layout(  # 081109 203615 148 INFO dfs.DataNode$PacketResponder: text
        "system.hdfs", "other", rf"(?P<head>(?P<ts>\d{{6}} \d{{6}}) (?P<pid>\d+) {_LEVEL} (?P<logger>[\w.$*]+): )", clock="compact",
    ),
    Layout(  # 17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: text
        "system.spark", "other", rf"(?P<head>(?P<ts>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) {_LEVEL} (?P<logger>[\w.$]+): )", clock="short",
    ),
    Layout(  # 2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - text
        "system.zookeeper", "other", rf"(?P<head>{ISO} - {_LEVEL} +\[(?P<thread>[^\n]{{1,120}}?)@(?P<line>\d+)\] - )", tier=1,
    ),
    Layout(  # 03-17 16:13:38.811  1702  2395 D WindowManager: text
        "system.android",
        "other",
        r"(?P<head>(?P<ts>\d\d-\d\d \d\d:\d\d:\d\d)\.(?P<frac>\d{3}) +(?P<pid>\d+) +(?P<thread>\d+) (?P<level>[VDIWEF]) (?P<logger>[^:\n]{1,60}?) *: )",
        clock="month_day",
    ),
    Layout("system.windows", "other", rf"(?P<head>{ISO}, (?P<level>Info|Warning|Error) +(?P<logger>[A-Z]\w*) +)", tier=1),
    Layout(  # 20171223-22:15:29:606|Step_LSC|30002312|text
        "system.health", "other",
        r"(?P<head>(?P<ts>\d{8}-\d{1,2}:\d{1,2}:\d{1,2}):(?P<frac>\d{1,3})\|(?P<logger>\w+)\|(?P<pid>\d+)\|)", clock="health",
    ),
    Layout(  # journalctl -o verbose: the members of an entry stand below its head
        "system.journal", "other", rf"(?P<head>[A-Z][a-z]{{2}} {ISO} (?P<zone>[A-Z]{{3,4}}) \[s=[0-9a-f]+;[^\]]*\])", tags=frozenset({"journal"}),
    ),
    Layout("system.proxifier", "other", r"(?P<head>\[(?P<ts>\d\d\.\d\d \d\d:\d\d:\d\d)\] (?P<logger>\S+(?: \*64)?) - )", clock="month_day_dot"),
    Layout("system.ras", "other", rf"(?P<head>{_RAS}\d{{4}}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d{{6}} \S+ \w+ (?P<logger>\w+) {_LEVEL} )"),
    Layout(
        "system.cluster_syslog", "other",
        rf"(?P<head>{_RAS}[A-Z][a-z]{{2}} +\d{{1,2}} \d\d:\d\d:\d\d \S+ (?P<logger>[\w./()\-#@]+)(?:\[(?P<pid>\d+)\])?: ?)",
    ),
    Layout(  # 134681 node-246 unix.hw state_change.unavailable 1077804742 1 text
        "system.hpc", "other", r"(?P<head>\d+ (?P<host>[\w\-]+) (?P<logger>[\w.]+) (?P<state>[\w.]+) (?P<epoch>\d{10}) \d )",
    ),
)  # fmt: skip
