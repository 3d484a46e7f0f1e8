"""Vega-Lite specifications of the page's charts, in data only: no colours, no zone, no words.

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
Spec = dict[str, Any]
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
TONE = {"critical": "error", "error": "error", "warning": "warning", "info": "info"}
COLOURS = ("var(--soft)", "var(--link)", "var(--cause)", "var(--warning)")


def specs(report: Report, texts: Texts) -> dict[str, Spec]:
    """Each chart by the name that the page's markup gives it."""
    last = report.series[-1].name if report.series else None
    charts = {s.name: _series(report.axis, s, report.incidents, s.name == last) for s in report.series}
    if report.lanes or report.marks:
        charts["timeline"] = _timeline(report, texts)
    return charts


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


def many_days(axis: Axis) -> bool:
    return axis.step_s * axis.steps > 86400


def _data(values: list[Any]) -> Spec:
    return {"values": values}


def _expr(text: str) -> Spec:
    return {"expr": text}


def _time(axis: Axis, labels: bool = True) -> Spec:
    return {
        "field": "t", "type": "temporal", "title": None,
        "scale": {"type": "utc", "domainMin": _expr("low"), "domainMax": _expr("high"), "nice": False},
        "axis": {
            "grid": False, "tickCount": 8, "labels": labels, "ticks": labels, "labelOverlap": True,
            "labelExpr": _CLOCK[many_days(axis)],
            # A label that stands over the edge would make this plot narrower than its neighbours.
            "labelBound": True,
        },
    }  # fmt: skip


def _params(axis: Axis) -> list[Spec]:
    start = int(axis.start.timestamp() * 1000)
    values = {"low": start, "high": start + axis.steps * axis.step_s * 1000, "from": 0, "to": 0}
    return [{"name": name, "value": value} for name, value in values.items()]


def _steps(axis: Axis) -> list[Spec]:
    """The rows carry only the step's number: a day of a busy stack has thousands of cells."""
    start, step = int(axis.start.timestamp() * 1000), axis.step_s * 1000
    return [
        {"calculate": f"{start} + datum.i * {step}", "as": "t"},
        {"calculate": f"{start} + (datum.i + 1) * {step}", "as": "t2"},
    ]


def _bands(incidents: Sequence[Incident], axis: Axis, labels: bool = True) -> Spec:
    rows = [
        {
            "band": k,
            "t": int(i.start.timestamp() * 1000),
            "t2": max(int(i.end.timestamp() * 1000), int(i.start.timestamp() * 1000) + axis.step_s * 1000),
        }
        for k, i in enumerate(incidents)
    ]
    return {
        "data": _data(rows),
        "mark": {"type": "rect", "clip": True, "fill": "var(--error)", "fillOpacity": 0.09},
        "encoding": {"x": _time(axis, labels), "x2": {"field": "t2"}},
    }


def _selection() -> Spec:
    return {
        "data": _data([{}]),
        "mark": {"type": "rect", "clip": True, "fill": "var(--select)", "stroke": "var(--link)", "strokeWidth": 1},
        "encoding": {
            "x": {"value": _expr("scale('x', from)")},
            "x2": {"value": _expr("scale('x', to)")},
            "opacity": {"value": _expr("to > from ? 1 : 0")},
        },
    }


def _timeline(report: Report, texts: Texts) -> Spec:
    axis, lanes = report.axis, shown(report.lanes)
    order = {
        "field": "lane", "type": "ordinal", "title": None,
        "scale": {"domain": list(range(-1 if report.marks else 0, len(lanes))), "paddingInner": 0.28, "paddingOuter": 0.2},
        "axis": {"labels": False, "ticks": False, "domain": False, "minExtent": LABELS, "maxExtent": LABELS},
    }  # fmt: skip
    layers = [_bands(report.incidents, axis)] if report.incidents else []
    layers += [_rows(lanes, order, texts, report), _cells(axis, lanes, order)]
    if report.marks:
        layers.append(_marks(report.marks, axis, order))
    layers.append(_selection())
    rows = len(lanes) + bool(report.marks)
    return _sized(layers, axis, max(LEAST_ROW, min(ROW, TIMELINE // rows)) * rows + 6)


def _rows(lanes: Sequence[Lane], order: Spec, texts: Texts, report: Report) -> Spec:
    short = short_names([lane.service for lane in report.lanes] + list(report.totals.by_service))
    rows = [{"lane": k, "label": texts.title(lane.problem), "who": short[lane.service]} for k, lane in enumerate(lanes)]
    rule = {
        "mark": {"type": "rule", "stroke": "var(--faint)", "strokeWidth": 1},
        "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": order},
    }
    label = {
        "mark": {"type": "text", "align": "left", "fontSize": 12, "limit": TITLE, "fill": "var(--ink)"},
        "encoding": {"x": {"value": -LABELS}, "text": {"field": "label", "type": "nominal"}, "y": order},
    }
    who = {
        "mark": {"type": "text", "align": "right", "fontSize": 11.5, "limit": WHO, "fill": "var(--soft)"},
        "encoding": {"x": {"value": -10}, "text": {"field": "who", "type": "nominal"}, "y": order},
    }
    return {"data": _data(rows), "layer": [rule, label, who]}


def _cells(axis: Axis, lanes: Sequence[Lane], order: Spec) -> Spec:
    rows = [{"lane": k, "i": i, "n": n} for k, lane in enumerate(lanes) for i, n in lane.buckets.pairs]
    tones = [{"lane": k, "tone": TONE.get(lane.severity, "info")} for k, lane in enumerate(lanes)]
    most = max((row["n"] for row in rows), default=1)
    colours = {"domain": ["error", "warning", "info"], "range": ["var(--error)", "var(--warning)", "var(--info)"]}
    strength = {"type": "sqrt", "domain": [0, most], "range": [0.3, 1]}
    toned = {"lookup": "lane", "from": {"data": _data(tones), "key": "lane", "fields": ["tone"]}}
    return {
        "data": _data(rows),
        "transform": [*_steps(axis), toned],
        "mark": {"type": "rect", "clip": True, "cursor": "pointer", "minBandSize": 3},
        "encoding": {
            "x": _time(axis),
            "x2": {"field": "t2"},
            "y": order,
            "fill": {"field": "tone", "type": "nominal", "legend": None, "scale": colours},
            "fillOpacity": {"field": "n", "type": "quantitative", "legend": None, "scale": strength},
            "tooltip": {"field": "n", "type": "quantitative"},
        },
    }


def _marks(marks: Sequence[Mark], axis: Axis, order: Spec) -> Spec:
    rows = [{"lane": -1, "mark": k, "t": int(m.timestamp.timestamp() * 1000)} for k, m in enumerate(marks)]
    return {
        "data": _data(rows),
        "mark": {
            "type": "point", "clip": True, "shape": "triangle-down", "size": 60, "filled": True, "fill": "var(--cause)",
            "fillOpacity": 0.9,
        },
        "encoding": {"x": _time(axis), "y": order, "tooltip": {"field": "mark", "type": "quantitative"}},
    }  # fmt: skip


def _series(axis: Axis, series: Series, incidents: Sequence[Incident], labels: bool) -> Spec:
    names = series.names
    rows = [{"i": p.step, "s": names.index(p.series), "v": round(p.value, 3)} for p in series.points]
    low, high = min(row["v"] for row in rows), max(row["v"] for row in rows)
    y = {
        "field": "v", "type": "quantitative", "title": None,
        # Percentiles that differ by powers of ten: on a linear axis p50 would lie on the floor.
        "scale": {"type": "log", "nice": True, "clamp": True, "domainMin": _floor(low)}
        if series.unit == "ms" and high > WIDE * max(low, 0.1)
        else {"zero": True, "nice": True},
        "axis": {
            "tickCount": 2, "minExtent": LABELS, "maxExtent": LABELS, "ticks": False, "labelPadding": 10, "grid": True,
            "labelExpr": _UNITS[series.unit],
        },
    }  # fmt: skip
    at = {"x": _time(axis, labels), "y": y}
    drawn = _bars(axis, rows, at) if series.unit == "count" else _lines(axis, rows, at, len(names))
    layers = ([_bands(incidents, axis, labels)] if incidents else []) + [drawn, _selection()]
    return _sized(layers, axis, 58)


def _bars(axis: Axis, rows: list[Spec], at: Spec) -> Spec:
    return {
        "data": _data(rows),
        "transform": _steps(axis),
        "mark": {"type": "rect", "clip": True, "fill": "var(--error)", "fillOpacity": 0.75},
        "encoding": {
            **at, "x2": {"field": "t2"}, "y2": {"value": "height"}, "tooltip": {"field": "v", "type": "quantitative"},
        },
    }  # fmt: skip


def _lines(axis: Axis, rows: list[Spec], at: Spec, number: int) -> Spec:
    scale = {"domain": list(range(number)), "range": list(COLOURS[:number])}
    coloured = {**at, "color": {"field": "s", "type": "nominal", "legend": None, "scale": scale}}
    line = {
        "transform": _steps(axis),
        "mark": {"type": "line", "clip": True, "strokeWidth": 1.2},
        "encoding": {**coloured, "detail": {"field": "g", "type": "nominal"}},
    }
    points = {
        "transform": _steps(axis),
        "mark": {"type": "point", "clip": True, "filled": True, "size": 7, "opacity": 1},
        "encoding": {**coloured, "tooltip": {"field": "v", "type": "quantitative"}},
    }
    return {"data": _data(_pieces(rows, axis)), "layer": [line, points]}


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


def _sized(layers: list[Spec], axis: Axis, height: int) -> Spec:
    return {
        "$schema": _SCHEMA, "layer": layers, "params": _params(axis), "width": "container", "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"}, "padding": 0,
    }  # fmt: skip
