"""SQL over the lake: a confined DuckDB session, and named queries as files."""

from __future__ import annotations

from triage.query.named import NamedQuery, Parameter, load_folder
from triage.query.session import Session

__all__ = ["NamedQuery", "Parameter", "Session", "load_folder"]
