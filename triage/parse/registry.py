"""All layouts, in the order in which those of one tier are asked when speed does not decide."""

from __future__ import annotations

from functools import cache

from triage.parse import (
    access_log,
    celery,
    general,
    habits,
    json_lines,
    kernel,
    postgres,
    python,
    rabbitmq,
    redis,
    services,
    systems,
)
from triage.parse.layout import Layout
from triage.parse.options import ParseOptions

FAMILIES = (celery, postgres, redis, rabbitmq, json_lines, access_log, kernel, services, systems, python, general, habits)


@cache
def layouts(prefix: str | None = None) -> tuple[Layout, ...]:
    """Every known layout, lowest tier first, with the one of `--prefix` before all."""
    known = tuple(layout for family in FAMILIES for layout in family.LAYOUTS)
    own = (postgres.layout_of_prefix(prefix),) if prefix else ()
    return tuple(sorted((*own, *known), key=lambda layout: layout.tier))


def layouts_for(options: ParseOptions) -> tuple[Layout, ...]:
    """The layouts of one run."""
    return layouts(options.prefix)
