"""nginx, Apache, gunicorn and other servers that write access lines in the Common Log Format's descendants."""

from __future__ import annotations

from triage.parse.layout import ISO, SLASHED, Layout

_CLF = r"(?P<ts>\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d)(?:\.(?P<frac>\d{1,9}))? (?P<zone>[+-]\d{4})"

LAYOUTS = (
    Layout(
        "access.clf",
        "nginx",
        r"(?P<head>(?:(?P<vhost>[\w\-]+(?:\.[\w\-]+)+(?::\d+)?|[\w.\-]+:\d+) )?)(?P<client>[0-9a-fA-F.:%]+|[\w.\-]+(?::\d+)?|)(?:, [0-9a-fA-F.:]+)* (?:- \[[^\]\s]*\] )? *[^\s\[]\S* +(?P<user>[^\s\[]\S*) +\[" + _CLF + r"\] "
        r'"(?:(?P<method>[A-Z]+) (?P<path>(?:[^" \\]|\\.)*)[^"]*|(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
        r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<user_agent>(?:[^"\\]|\\.)*)")?(?P<rest>[^\n]*)',
        clock="clf",
        single=True,
    ),
    Layout(
        "access.nginx_error",
        "nginx",
        r"(?P<head>" + SLASHED + r" \[(?P<level>[a-z]+)\] (?P<pid>\d+)#(?P<thread>\d+): (?:\*(?P<connection>\d+) )?)",
        clock="slashed",
        tags=frozenset({"nginx_error"}),
    ),
    Layout(
        "access.nginx_undated", "nginx",
        r"(?P<head>\[(?P<level>[a-z]+)\] (?P<pid>\d+)#(?P<thread>\d+): (?:\*(?P<connection>\d+) )?)", clock="none",
    ),
    Layout("access.nginx_start", "nginx", r"(?P<head>nginx: \[(?P<level>[a-z]+)\] )", clock="none"),  # before it has read where to log
    Layout(  # gin's logger: [GIN] 2026/02/03 - 10:00:00 | 200 |     213.4µs |  127.0.0.1 | GET      "/jobs"
        "access.gin", "app",
        r"(?P<head>)\[GIN\] (?P<ts>\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d) \| *(?:(?P<req>[\w\-]{16,}) *\| *)?(?P<status>\d{3}) *\| *(?:(?P<took>\d+(?:\.\d+)?)(?P<unit>ns|µs|ms|s)|[\dhms.]+) *\| *"
        r'(?P<client>\S*) *\| *(?P<method>[A-Z]+) +"?(?P<path>[^"\s]*)',
        clock="gin", single=True,
    ),
    Layout(
        "access.apache_error",
        "nginx",
        r"(?P<head>\[(?P<ts>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4})\] \[(?:(?P<logger>\w*):)?(?P<level>[a-z]+\d?)\] "
        r"(?:\[pid (?P<pid>\d+)(?::tid (?P<thread>\d+))?\] )?(?:\[client (?P<client>[^\]]+)\] )?)",
        clock="ctime",
    ),
    Layout(  # Werkzeug, aiohttp, and Daphne with a port and without a status for sockets
        "access.zoneless",
        "app",
        r"(?P<head>)(?P<client>[0-9a-fA-F.:]+|\[[0-9a-fA-F:]+\]:\d+|[\w.\-]+(?::\d+)?) - - \[(?P<ts>\d{1,2}/[A-Z][a-z]{2}/\d{4}[ :]\d\d:\d\d:\d\d)\] "
        r'"(?P<method>[A-Z]+) (?P<path>[^" ]*)[^"]*" (?:(?P<status>\d{3})|-) (?P<size>\d+|-)',
        clock="clf",
        single=True,
    ),
    Layout(  # gevent
        "access.gevent",
        "app",
        r"(?P<head>)(?P<client>[0-9a-fA-F.:]+|-) - - \[" + ISO + r'\] "(?P<method>[A-Z]+) (?P<path>[^" ]*)[^"]*" (?P<status>\d{3}) (?P<size>\d+|-)',
        single=True,
    ),
    Layout(
        "access.uwsgi",
        "app",
        r"(?P<head>)\[pid: (?P<pid>\d+)\|app: [^\]]*\] (?P<client>\S*) \((?P<user>[^)]*)\) \{[^}]*\} \[[A-Z][a-z]{2} (?P<ts>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] "
        r"(?P<method>[A-Z]+) (?P<path>\S+) => generated (?P<size>\d+) bytes in (?P<took>\d+) (?P<unit>msecs|micros) \(HTTP/[\d.]+ (?P<status>\d{3})\)",
        clock="loose",
        single=True,
    ),
    Layout(  # Envoy and Istio: flags and reasons between the status and bytes in, bytes out and milliseconds
        "access.envoy",
        "nginx",
        r"(?P<head>)\[" + ISO + r'(?P<zone>Z)\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3}) \S+(?: [^\n"]*?"?[^\n"]*"?)*? \d+ (?P<size>\d+) (?P<took>\d+) ',
        single=True,
    ),
    Layout(  # AWS's Application Load Balancer; three waits in seconds, -1 where there was none
        "access.alb",
        "nginx",
        r"(?P<head>)(?:https?|h2|grpcs|wss?) " + ISO + r"(?P<zone>Z) \S+ (?P<client>[0-9a-fA-F.:\[\]]+) \S+ (?P<waits>-?[\d.]+ -?[\d.]+ -?[\d.]+) "
        r'(?P<status>[1-5]\d\d) (?:\d{3}|-) \d+ (?P<size>\d+) "(?P<method>[A-Z]+|-) (?:[a-z]+://[^/\s"]*)?(?P<path>/[^" ]*|-)[^"]*" "(?P<user_agent>(?:[^"\\]|\\.)*)"',
        single=True,
    ),
    Layout(  # AWS's Classic Load Balancer, whose name stands between the time and the client
        "access.elb",
        "nginx",
        r"(?P<head>)" + ISO + r"(?P<zone>Z) [0-9A-Za-z\-]+ (?P<client>[0-9a-fA-F.:\[\]]+) (?:\S+:\d+|-) (?P<waits>-?[\d.]+ -?[\d.]+ -?[\d.]+) "
        r'(?P<status>[1-5]\d\d) (?:\d{1,3}|-) \d+ (?P<size>\d+) "(?P<method>[A-Z]+|-) (?:[a-z]+://[^/\s"]*)?(?P<path>/[^" ]*|-)[^"]*"(?: "(?P<user_agent>(?:[^"\\]|\\.)*)")?',
        single=True,
    ),
    Layout(  # HAProxy's httplog; five waits in milliseconds, the last their sum
        "access.haproxy",
        "nginx",
        r"(?P<head>)(?P<client>[0-9a-fA-F.:]+:\d+) \[(?P<ts>\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d)\.(?P<frac>\d{3})\] \S+ \S+/\S+ "
        r'(?:-?\d+/){4}\+?(?P<took>\d+) (?P<status>[1-5]\d\d) \+?(?P<size>\d+) [^\n"]*"(?P<method>[A-Z]+) (?P<path>[^" ]*)[^"]*"?',
        clock="clf",
        single=True,
    ),
    Layout(  # Squid's native format; 000 is no answer
        "access.squid",
        "nginx",
        r"(?P<head>)(?P<ts>1\d{9}\.\d{3}) +(?P<took>\d+) (?P<client>\S+) [A-Z_]+/(?:(?P<status>[1-5]\d\d)|000) (?P<size>\d+) "
        r"(?P<method>[A-Z_]+) (?P<path>\S+) (?P<user>\S+) [A-Z_]+/\S+ \S+",
        clock="epoch",
        single=True,
    ),
    Layout(
        "access.slashed",
        "other",
        r"(?P<head>" + SLASHED + r"(?: \[?(?P<level>(?i:TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|FATAL|PANIC|CRIT))\]?:?)?"
        r"(?: (?P<place>[\w./\-]+\.\w+:\d+):?)? +)",
        clock="slashed",
        tier=5,
    ),
)
