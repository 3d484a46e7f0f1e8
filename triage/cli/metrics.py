"""The endpoint for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from triage import __version__
from triage.cli.app import LakeOption, QuietOption, Run, VerboseOption, app, start
from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.analyse.metrics import Counters, Family, Health

_ALERTS_OVER = timedelta(minutes=10)


def health(run: Run) -> Health:
    """What the lake itself tells of its collectors."""
    from triage.analyse.metrics import Health

    notes = run.lake.notes()
    counted = {kind: notes.filter(notes["kind"] == kind) for kind in ("gap", "undecodable")}
    committed = run.lake.table.history(1)[0].get("timestamp")
    last = datetime.fromtimestamp(committed / 1000, UTC) if committed else None
    return Health(last, counted["gap"].height, int(counted["undecodable"]["lines"].sum()))


def gathered(run: Run, counters: Counters) -> tuple[Family, ...]:
    """All metrics as of now."""
    from triage import analyse
    from triage.analyse.metrics import metrics

    now = datetime.now(UTC)
    with run.session() as session:
        counts = counters.read(session)
        alerts = analyse.alerts(session, analyse.Window(now - _ALERTS_OVER, now), run.thresholds())
        return metrics(session, now, counts, alerts, health(run), __version__)


@app.command(rich_help_panel="Look")
def metrics(
    listen: Annotated[
        str, typer.Option("--listen", metavar="[HOST:]PORT", help="Where to answer GET /metrics.")
    ] = "127.0.0.1:9464",
    lake: LakeOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """An endpoint for Prometheus: response times, ends and times of tasks, connections, queues, memory, processor, alerts.

    The figures are the lake's, so beside it `triage collect --follow --probe` runs. The guide's alert rules for them are in
    deploy/alerts.rules.yml. Once, for node_exporter: triage check --format prometheus.

        triage metrics --listen 0.0.0.0:9464
    """
    from triage.analyse.metrics import Counters
    from triage.cli import stop_on_sigterm
    from triage.report.scraped import server

    run = start(lake, quiet, verbose)
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"not an address: {listen}", hint="write it as 127.0.0.1:9464 or 9464")
    counters = Counters()
    stop_on_sigterm()
    served = server(host.strip("[]") or "127.0.0.1", int(port), lambda: gathered(run, counters))
    run.console.say(f"http://{host or '127.0.0.1'}:{served.server_address[1]}/metrics; Ctrl-C ends it")
    with served:
        served.serve_forever()
