"""`triage.toml`, the environment and options as one frozen `Settings`. Options win, then the environment.

    lake     = "./lake"
    patterns = ["./our-patterns"]       # folders of own pattern files; the same id overrides
    sql_dirs = ["./our-queries"]        # folders of own named queries
    tz       = "Asia/Shanghai"          # of clocks that print no zone
    prefix   = "%m [%p] %q%u@%d "       # log_line_prefix, where Postgres' is unusual
    lang     = "en"
    stats    = "10s"                    # how often `collect --follow` samples memory, CPU …; "off": never

    [probes]                            # what triage snapshot, collect --probe and doctor ask running programs with
    every    = "5m"                     # on a schedule, with collect --follow --probe
    postgres_user     = "triage"        # a role with pg_monitor instead of the container's own
    postgres_database = "jointo"

    [redact]
    enabled  = true
    personal = ["email", "phone"]       # which kinds of personal data count as secret

    [redact.kinds]                      # own kinds: a name, and a regex whose match or group `secret` is replaced
    staff_number = '\\bSTF-\\d{6}\\b'

    [analysis]                          # thresholds; see ARCHITECTURE.md for their reasons
    slow_request_ms = 1000
    error_target    = 0.999

    [alerts]                            # a SELECT that gives value and threshold
    too_many_retries = "SELECT count(*) AS value, 50 AS threshold FROM logs WHERE problem = 'task.retry'"
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triage.errors import UsageError

FILE = "triage.toml"
_KEYS: dict[str, type | tuple[type, ...]] = {
    "lake": str, "patterns": list, "sql_dirs": list, "tz": str, "prefix": str, "lang": str, "stats": str, "redact": dict,
    "analysis": dict, "alerts": dict, "probes": dict,
}  # fmt: skip
_PROBES: dict[str, type | tuple[type, ...]] = {"every": str, "postgres_user": str, "postgres_database": str}
_REDACT: dict[str, type | tuple[type, ...]] = {"enabled": bool, "personal": list, "kinds": dict}


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one run."""

    lake: str = "./lake"
    patterns: tuple[Path, ...] = ()
    sql_dirs: tuple[Path, ...] = ()
    tz: str | None = None
    prefix: str | None = None
    lang: str = "en"
    stats: str = "10s"
    redact: bool = True
    personal: tuple[str, ...] | None = None  # None: all kinds that are known
    kinds: Mapping[str, object] = field(default_factory=dict)  # of secrets, the user's own
    analysis: Mapping[str, float] = field(default_factory=dict)
    alerts: Mapping[str, str] = field(default_factory=dict)
    probes: Mapping[str, str] = field(default_factory=dict)


def load(config: Path | None = None, **options: Any) -> Settings:
    """The settings of this run; options that are None or empty are not given."""
    path = config or Path(os.environ.get("TRIAGE_CONFIG") or FILE)
    required = config is not None or "TRIAGE_CONFIG" in os.environ
    values = _read(path) if required or path.is_file() else {}
    if lake := os.environ.get("TRIAGE_LAKE"):
        values["lake"] = lake
    values |= {name: value for name, value in options.items() if value not in (None, (), [])}
    return Settings(**values)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        told = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the settings: {told}", str(path), "see README.md for its form") from None
    _check(data, _KEYS, path, "")
    redact = data.pop("redact", {})
    _check(redact, _REDACT, path, "redact.")
    _check(data.get("probes", {}), _PROBES, path, "probes.")
    values: dict[str, Any] = {**data}
    # Paths in the file are meant from where the file is.
    for name in ("patterns", "sql_dirs"):
        values[name] = tuple(path.parent / str(folder) for folder in data.get(name, ()))
    if "lake" in data and "://" not in data["lake"]:
        values["lake"] = str(path.parent / data["lake"])
    if "enabled" in redact:
        values["redact"] = redact["enabled"]
    if "personal" in redact:
        values["personal"] = tuple(redact["personal"])
    values["kinds"] = redact.get("kinds", {})
    return values


def _check(
    data: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]], path: Path, prefix: str
) -> None:
    for name, value in data.items():
        if name not in known:
            raise UsageError(f"unknown setting `{prefix}{name}`", str(path), nearest(name, known))
        if not isinstance(value, known[name]):
            wanted = known[name].__name__ if isinstance(known[name], type) else "value"  # type: ignore[union-attr]
            raise UsageError(f"`{prefix}{name}` must be a {wanted}", str(path))


def nearest(word: str, known: Iterable[str]) -> str:
    """What to suggest for a word that is not known."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, 1)
    return f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(names)}"
