"""Vega-Lite specifications of the page's charts, made with Altair, in data only: no colours, no zone, no words.

Colours are CSS variables that the page resolves, so that light and dark need no second specification.
All charts have the parameters `low`, `high` (what is in sight) and `from`, `to` (what is selected), in
milliseconds, which the page sets on every chart at once. Counts are sparse: a step without records has no row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median
from typing import Any

import altair as alt

from triage.analyse.model import Incident
from triage.report.parts import Axis, Lane, Mark, Report, Series
from triage.report.texts import Texts

LABELS = 346  # width of the names at the left, the same for all charts, so that their times stand above each other
LANES = 24  # more rows than this push the incidents out of sight; the table below has all
TITLE, WHO = 242, 96  # pixels of it for the problem and for the service
ROW = 21  # pixels of a lane; many lanes are lower, so that the timeline ends on a laptop's first screen
LEAST_ROW = 13
TIMELINE = 336
WIDE = 20.0  # times the smallest value: from here on an axis is logarithmic
GAP = 0.04  # of the axis without a value: the line is interrupted, for nothing was measured there
# Hours and minutes; seconds only where a tick is not on the minute; the page turns utc… into the local twin.
_CLOCK = {
    False: "utcFormat(datum.value, utcseconds(datum.value) ? '%H:%M:%S' : '%H:%M')",
    True: "utcFormat(datum.value, utchours(datum.value) || utcminutes(datum.value) ? '%H:%M' : '%m-%d')",
}
_UNITS = {
    "ms": "datum.value >= 1000 ? datum.value / 1000 + ' s' : datum.value + ' ms'",
    "MB": "datum.value >= 1000 ? datum.value / 1000 + ' GB' : datum.value + ' MB'",
    "number": "floor(datum.value) == datum.value ? format(datum.value, ',') : ''",
    "count": "floor(datum.value) == datum.value ? format(datum.value, ',') : ''",
}
Chart = Any  # Altair's own types do not survive layering
TONE = {"critical": "error", "error": "error", "warning": "warning", "info": "info"}
COLOURS = ("var(--soft)", "var(--link)", "var(--cause)", "var(--warning)")


def specs(report: Report, texts: Texts) -> dict[str, Any]:
    """Each chart by the name that the page's markup gives it."""
    last = report.series[-1].name if report.series else None
    charts = {s.name: _series(report.axis, s, report.incidents, s.name == last) for s in report.series}
    if report.lanes or report.marks:
        charts["timeline"] = _timeline(report, texts)
    return {name: chart.to_dict() for name, chart in charts.items()}


def shown(lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """The lanes that are drawn, by first sight: of too many those that weigh most."""
    rank = {lane: k for k, lane in enumerate(sorted(lanes, key=_weight))}
    return tuple(lane for lane in lanes if rank[lane] < LANES)


def _weight(lane: Lane) -> tuple[bool, int, str, str]:
    return TONE.get(lane.severity, "info") != "error", -lane.count, lane.problem, lane.service


def short_names(services: Sequence[str]) -> dict[str, str]:
    """Services without the prefix that most of them share, up to a dash: compose project names say nothing here."""
    distinct = sorted(set(services))
    begun = Counter(name[: at + 1] for name in distinct for at, c in enumerate(name[:-1]) if c in "-_")
    shared = [prefix for prefix, count in begun.items() if count > max(1, len(distinct) / 2)]
    cut = max(shared, key=len, default="")
    short = {name: name.removeprefix(cut) for name in distinct}
    return short if len(set(short.values())) == len(distinct) else {name: name for name in distinct}


def _data(values: list[Any]) -> Any:
    return alt.InlineData(values=values)


def many_days(axis: Axis) -> bool:
    return axis.step_s * axis.steps > 86400


def _time(axis: Axis, labels: bool = True) -> alt.X:
    return alt.X(
        "t:T",
        title=None,
        scale=alt.Scale(type="utc", domainMin=alt.ExprRef("low"), domainMax=alt.ExprRef("high"), nice=False),
        axis=alt.Axis(
            grid=False, tickCount=8, labels=labels, ticks=labels, labelOverlap=True, labelExpr=_CLOCK[many_days(axis)],
            # A label that stands over the edge would make this plot narrower than its neighbours.
            labelBound=True,
        ),
    )


def _params(axis: Axis) -> list[alt.Parameter]:
    start = int(axis.start.timestamp() * 1000)
    values = {"low": start, "high": start + axis.steps * axis.step_s * 1000, "from": 0, "to": 0}
    return [alt.param(name=name, value=value) for name, value in values.items()]


def _stepped(axis: Axis, rows: list[dict[str, Any]]) -> Chart:
    start, step = int(axis.start.timestamp() * 1000), axis.step_s * 1000
    # The rows carry only the step's number: a day of a busy stack has thousands of cells.
    return alt.Chart(_data(rows)).transform_calculate(
        t=f"{start} + datum.i * {step}", t2=f"{start} + (datum.i + 1) * {step}"
    )


def _bands(incidents: Sequence[Incident], axis: Axis, labels: bool = True) -> Chart:
    rows = [
        {
            "band": k,
            "t": int(i.start.timestamp() * 1000),
            "t2": max(int(i.end.timestamp() * 1000), int(i.start.timestamp() * 1000) + axis.step_s * 1000),
        }
        for k, i in enumerate(incidents)
    ]
    return (
        alt.Chart(_data(rows))
        .mark_rect(clip=True, fill="var(--error)", fillOpacity=0.09)
        .encode(x=_time(axis, labels), x2="t2:T")
    )


def _scaled(name: str, channel: Any = alt.XValue) -> Any:
    return channel(alt.ExprRef(f"scale('x', {name})"))


def _selection() -> Chart:
    return (
        alt.Chart(_data([{}]))
        .mark_rect(clip=True, fill="var(--select)", stroke="var(--link)", strokeWidth=1)
        .encode(
            x=_scaled("from"),
            x2=_scaled("to", alt.X2Value),
            opacity=alt.OpacityValue(alt.ExprRef("to > from ? 1 : 0")),
        )
    )


def _timeline(report: Report, texts: Texts) -> Chart:
    axis, lanes = report.axis, shown(report.lanes)
    order = alt.Y(
        "lane:O",
        title=None,
        scale=alt.Scale(domain=list(range(-1 if report.marks else 0, len(lanes))), paddingInner=0.28, paddingOuter=0.2),
        axis=alt.Axis(labels=False, ticks=False, domain=False, minExtent=LABELS, maxExtent=LABELS),
    )
    layers = [_bands(report.incidents, axis)] if report.incidents else []
    layers += [_rows(lanes, order, texts, report), _cells(axis, lanes, order)]
    if report.marks:
        layers.append(_marks(report.marks, axis, order))
    layers.append(_selection())
    rows = len(lanes) + bool(report.marks)
    return _sized(alt.layer(*layers), axis, max(LEAST_ROW, min(ROW, TIMELINE // rows)) * rows + 6)


def _rows(lanes: Sequence[Lane], order: alt.Y, texts: Texts, report: Report) -> Chart:
    short = short_names([lane.service for lane in report.lanes] + list(report.totals.by_service))
    rows = [{"lane": k, "label": texts.title(lane.problem), "who": short[lane.service]} for k, lane in enumerate(lanes)]
    base = alt.Chart(_data(rows)).encode(y=order)
    rule = base.mark_rule(stroke="var(--faint)", strokeWidth=1).encode(x=alt.value(0), x2=alt.value("width"))
    label = base.mark_text(align="left", fontSize=12, limit=TITLE, fill="var(--ink)").encode(
        x=alt.value(-LABELS), text="label:N"
    )
    who = base.mark_text(align="right", fontSize=11.5, limit=WHO, fill="var(--soft)").encode(
        x=alt.value(-10), text="who:N"
    )
    return alt.layer(rule, label, who)


def _cells(axis: Axis, lanes: Sequence[Lane], order: alt.Y) -> Chart:
    rows = [{"lane": k, "i": i, "n": n} for k, lane in enumerate(lanes) for i, n in lane.buckets.pairs]
    tones = [{"lane": k, "tone": TONE.get(lane.severity, "info")} for k, lane in enumerate(lanes)]
    most = max((row["n"] for row in rows), default=1)
    return (
        _stepped(axis, rows)
        .transform_lookup(lookup="lane", from_=alt.LookupData(_data(tones), "lane", ["tone"]))
        .mark_rect(clip=True, cursor="pointer", minBandSize=3)
        .encode(
            x=_time(axis),
            x2="t2:T",
            y=order,
            fill=alt.Fill(
                "tone:N",
                legend=None,
                scale=alt.Scale(
                    domain=["error", "warning", "info"], range=["var(--error)", "var(--warning)", "var(--info)"]
                ),
            ),
            fillOpacity=alt.FillOpacity(
                "n:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, most], range=[0.3, 1])
            ),
            tooltip="n:Q",
        )
    )


def _marks(marks: Sequence[Mark], axis: Axis, order: alt.Y) -> Chart:
    rows = [{"lane": -1, "mark": k, "t": int(m.timestamp.timestamp() * 1000)} for k, m in enumerate(marks)]
    return (
        alt.Chart(_data(rows))
        .mark_point(clip=True, shape="triangle-down", size=60, filled=True, fill="var(--cause)", fillOpacity=0.9)
        .encode(x=_time(axis), y=order, tooltip="mark:Q")
    )


def _series(axis: Axis, series: Series, incidents: Sequence[Incident], labels: bool) -> Chart:
    names = series.names
    rows = [{"i": p.step, "s": names.index(p.series), "v": round(p.value, 3)} for p in series.points]
    low, high = min(row["v"] for row in rows), max(row["v"] for row in rows)
    y = alt.Y(
        "v:Q",
        title=None,
        # Percentiles that differ by powers of ten: on a linear axis p50 would lie on the floor.
        scale=alt.Scale(type="log", nice=True, clamp=True, domainMin=_floor(low))
        if series.unit == "ms" and high > WIDE * max(low, 0.1)
        else alt.Scale(zero=True, nice=True),
        axis=alt.Axis(
            tickCount=2,
            minExtent=LABELS,
            maxExtent=LABELS,
            ticks=False,
            labelPadding=10,
            grid=True,
            labelExpr=_UNITS[series.unit],
        ),
    )
    colour = alt.Scale(domain=list(range(len(names))), range=list(COLOURS[: len(names)]))
    base = _stepped(axis, rows)
    if series.unit == "count":
        marks: Chart = base.mark_rect(clip=True, fill="var(--error)", fillOpacity=0.75).encode(
            x=_time(axis, labels), x2="t2:T", y=y, y2=alt.value("height"), tooltip="v:Q"
        )
    else:
        base = _stepped(axis, _pieces(rows, axis))
        marks = base.mark_point(clip=True, filled=True, size=7, opacity=1).encode(
            x=_time(axis, labels), y=y, color=alt.Color("s:N", legend=None, scale=colour), tooltip="v:Q"
        )
        marks = alt.layer(
            base.mark_line(clip=True, strokeWidth=1.2).encode(
                x=_time(axis, labels), y=y, detail="g:N", color=alt.Color("s:N", legend=None, scale=colour)
            ),
            marks,
        )
    layers = ([_bands(incidents, axis, labels)] if incidents else []) + [marks, _selection()]
    return _sized(alt.layer(*layers), axis, 58)


def _pieces(rows: list[dict[str, Any]], axis: Axis) -> list[dict[str, Any]]:
    """The rows, each with the number `g` of the unbroken piece of its line."""
    ordered = sorted(rows, key=lambda row: (row["s"], row["i"]))
    distances = [b["i"] - a["i"] for a, b in pairwise(ordered) if a["s"] == b["s"]]
    # What is measured every so often, such as memory, has gaps of its own.
    widest = max(2.0, GAP * axis.steps, 3 * median(distances or [0]))
    breaks = [0, *(a["s"] != b["s"] or b["i"] - a["i"] > widest for a, b in pairwise(ordered))]
    return [{**row, "g": piece} for row, piece in zip(ordered, accumulate(breaks), strict=True)]


def _floor(smallest: float) -> float:
    """The power of ten at or under it."""
    return float(10 ** math.floor(math.log10(max(smallest, 0.1))))


def _sized(chart: Chart, axis: Axis, height: int) -> Chart:
    return chart.add_params(*_params(axis)).properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"), padding=0
    )
