"""What was changed before an incident: a deployment, a container that was created anew, stopped or ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from triage.analyse.model import Cause, Evidence
from triage.query import Session

_BEFORE = timedelta(minutes=15)
_AFTER = timedelta(seconds=2)  # what a stop breaks may be logged before the engine files its end
_MOST = 2
# In order of what they explain best; an end that is itself a problem is one of the incident's own.
_KINDS = {
    "image": "{container} was deployed with another image at {at}.",
    "configuration": "{container} was deployed with other settings at {at}.",
    "recreated": "{container} was created anew at {at}.",
    "stop": "{container} was stopped at {at}.",
}


def with_changes(session: Session, cause: Cause | None, start: datetime) -> Cause | None:
    """The cause with what was changed shortly before it as further evidence, the gravest and latest first."""
    if cause is None:
        return None
    rows = session.named("container_marks", since=start - _BEFORE, until=start + _AFTER).to_dicts()
    changed = [row for row in rows if row["kind"] in _KINDS]
    changed.sort(key=lambda row: (list(_KINDS).index(row["kind"]), start - row["timestamp"], row["container_name"]))
    claims = []
    for row in changed[:_MOST]:
        values = {"container": row["container_name"], "at": f"{row['timestamp']:%H:%M:%S}"}
        records = (row["event_id"],) if row["event_id"] else ()
        claims.append(Evidence(_KINDS[row["kind"]].format(**values), records, f"changed_{row['kind']}", values))
    return replace(cause, evidence=(*cause.evidence, *claims))
