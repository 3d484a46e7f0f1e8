"""Whether a piece of text can be a secret at all: no placeholder, no word about one, random enough where that is asked."""

from __future__ import annotations

import re

# Words that stand where a secret would, and placeholders: `token: expired`, `password=%s`, `key=${KEY}`, `***`.
_NO_SECRET_WORDS = frozenset((
    "null", "none", "nil", "undefined", "true", "false", "yes", "no", "on", "off", "empty", "unset", "missing",
    "required", "expire", "expired", "invalid", "incorrect", "wrong", "rejected", "revoked", "refreshed", "refresh",
    "mismatch", "failed", "failure", "error", "changed", "updated", "reset", "not", "is", "was", "has", "must",
    "cannot", "for", "from", "string", "str", "bytes", "int", "authentication", "authenticated", "scram-sha-256",
    "md5", "trust", "bearer", "basic", "redacted", "hidden", "masked", "filtered", "validation", "ok", "success",
    "provided", "unknown", "b", "amd64", "arm64", "i386",
))  # fmt: skip
_NO_SECRET = re.compile(
    r"""(?ix) type=\w+ | secretstr.* | getenv.* | os\.environ.*
    | (?:self|cls|settings|config|cfg|conf|request|req|os|env|app|args|kwargs|form|data|options|opts|credentials|user)\.[a-z_.]+\(?.*
    | [*•x.•#-]+ | <[a-z_. -]*> | <your.* | your[ _-][\w-]* | sk-\*+ | \$\{?\w+\}? | \$\d+ | %\(?\w*\)?s | \{+\w*\}+ | :\w+ | [\s,:{}()\[\]<]+ | \\+
    | \[redacted:.* | \[filtered\] """
)
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_OPAQUE = re.compile(r"[A-Za-z0-9+_~.%/=-]{16,}")
_DENSE = re.compile(r"[A-Za-z0-9+_-]{20,}={0,2}|[A-Za-z0-9+/]{22,}={1,2}")


def is_value(text: str) -> bool:
    """No placeholder, and no word that is said about a secret."""
    bare = text.removesuffix("\\n").rstrip(" .,;:!?)")  # once, or the engine tries each way to share them out
    return bare != "" and bare.lower() not in _NO_SECRET_WORDS and _NO_SECRET.fullmatch(bare) is None


def looks_random(text: str) -> bool:
    """For a bare word after `token: ` in prose: a secret has digits or a mix of cases, or is long."""
    bare = text.strip(".,;:!?()[]")
    if len(bare) < 6:
        return False
    return any(c.isdigit() for c in bare) or (bare != bare.lower() and bare != bare.capitalize()) or len(bare) >= 24


def opaque(text: str) -> bool:
    """For names that may also hold an id: sixteen characters or more with letters and digits, no UUID, no path."""
    return (
        _OPAQUE.fullmatch(text) is not None
        and _UUID.fullmatch(text) is None
        and any(c.isdigit() for c in text)
        and sum(c.isalpha() for c in text) >= 4
        and text.count("/") < 3
    )


def dense(text: str) -> bool:
    """For any name that ends in `key`: twenty characters of all three classes, as no digest, id or path has them."""
    return (
        _DENSE.fullmatch(text) is not None
        and any(c.isdigit() for c in text)
        and text != text.lower()
        and text != text.upper()
    )
