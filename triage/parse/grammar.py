"""The lines of which tracebacks and other many-line texts are made, as regexes over single lines."""

from __future__ import annotations

from triage.parse.layout import ascii_classes

# A line that cannot open a record on its own.
CONTINUES = ascii_classes(
    r"^(?:\s|$"
    r"|The above exception was the direct cause|During handling of the above exception"
    r'|"""$|future: <|\[(?:SQL|parameters|cached since|generated in|raw sql)\b'
    r"|\(Background on this error at|Trying again in "
    r"|[\])}]+[,;]?\s*$|Call stack:$|Message: |Arguments: \(|Object: |\^+$|~+\^"
    r"|[│╰]|at [\w.$<>`+\[\],|]+ ?\(|--- End of (?:inner exception )?stack trace|Caused by: |Suppressed: |goroutine \d+ \[|exit status \d+$|Node\.js v\d"
    r"|(?:DETAIL|HINT|CONTEXT|QUERY|LINE \d+):  ?)"
)
# The last line of a traceback, or an exception that was printed without one.
EXCEPTION = ascii_classes(
    r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Failure|Timeout|Group|StopIteration|Lost|Exceeded|Fault)(?:: |:?$)|^socket\.(?:gai|h)?error: "
)
# Where a traceback starts at the left margin, and where one starts at any depth.
TRACEBACK = ascii_classes(r"^(?:Traceback \(most recent call last\):|  \+ Exception Group Traceback \(most recent call last\):|╭─+ ?Traceback \(most recent call last\) ?─)")
# pydantic's message: how many errors, then for each of them its place at the margin and below it, indented, the reason.
VALIDATION = ascii_classes(r"^(?:[\w.:\-]+ ){0,3}([1-9]\d{0,3}) validation errors? for \S[^\n]*$")
VALIDATION_PLACE = r"^(?:\S|, | -> )+$"
VALIDATION_REASON = r"^  \S.* [\[(]type="
CHAIN = ascii_classes(r"^(?:The above exception was the direct cause|During handling of the above exception)")
# Words in a message that announce a traceback, whatever its level.
ANNOUNCES = r"(?i)exception|error|traceback|fail|retry|crash|raise|reject|abort|lost|:\s*$"
# A write of Python's traceback module, when a logger made a record of each write.
REDIRECTED = ascii_classes(
    r"^(?:$|\s|[~^]+\s*$|Traceback \(most recent call last\):|Exception ignored in|The above exception|During handling of the above"
    r"|[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Group|Warning)(?:: |:?$)"
    r'|File ".+", line \d+)'
)
REDIRECT_OPENS = r"^(?:Traceback \(most recent call last\):|Exception ignored in|Exception in thread )"
