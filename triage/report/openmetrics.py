"""Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0, which names counters without their _total and ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triage.analyse.metrics import Family, Sample

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def text(families: Iterable[Family], openmetrics: bool = False) -> str:
    """The families in the order given."""
    lines = [line for family in families for line in _lines(family, openmetrics)]
    return "\n".join([*lines, *(["# EOF"] if openmetrics else [])]) + "\n"


def _lines(family: Family, openmetrics: bool) -> Iterator[str]:
    total = "_total" if family.kind == "counter" else ""
    declared = family.name if openmetrics else family.name + total
    yield f"# HELP {declared} {_escaped(family.help, quotes=openmetrics)}"
    yield f"# TYPE {declared} {family.kind}"
    for sample in family.samples:
        yield f"{family.name}{sample.suffix or total}{_labels(sample)} {_number(sample.value)}"


def _labels(sample: Sample) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
    return f"{{{told}}}" if told else ""


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)


def _escaped(value: str, quotes: bool = True) -> str:
    safe = value.replace("\\", r"\\").replace("\n", r"\n")
    return safe.replace('"', r"\"") if quotes else safe
