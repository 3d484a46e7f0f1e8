"""Replaces secrets before anything is stored: `redact` on lines, `check` for what a rule set does to a sample.

The same secret gets the same short mark, `[redacted:<kind>:<6 hex>]`, keyed so that nobody without the key can try
guesses against it: correlation survives, the secret does not. Redacting twice changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from triage.classify.secret_rules import (
    BY_NAME,
    COARSE,
    COARSE_DIGITS,
    COOKIE,
    COOKIES,
    GATES,
    PERSONAL,
    RULES,
    Rule,
    named_group,
    named_is_secret,
)

PERSONAL_KINDS = frozenset(rule.kind for rule in PERSONAL)
MARK = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{6}\]")

_BLOCK_EDGE = r"-----(?:BEGIN|END) [A-Z ]*PRIVATE KEY"
# A line of a key at the end of a line of log, or as a value in it; a line of its head; a blank one.
_BLOCK_TEXT = r"[A-Za-z0-9+/=]{4,128}(?=(?:\s|\x1b\[[0-9;]*m)*$)|(?<![\w+/=])(?!\d+\b)(?:[A-Za-z0-9+/]{16,128}={0,2}|[A-Za-z0-9+/]{2,}==?)(?![\w+/=])"
_BLOCK_LINE = re.compile(rf"(?P<s>{_BLOCK_TEXT})|^\s*(?:Proc-Type|DEK-Info): .*$|^\W*$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_BLOCK = 200  # lines
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_KNOWN_ID = re.compile(
    r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:0x)?[0-9a-f]+|[a-z_/+=-]+|\d[\d_-]*|(?:[a-z0-9]+[/_-])+[a-z]+"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of a sample: one that is redacted (`kind` of secret), or one that looks like a secret and is not."""

    kind: str
    line: int
    text: str
    redacted: bool


def redact(texts: pl.Series, key: bytes, personal: Collection[str] = PERSONAL_KINDS) -> pl.Series:
    """The texts without their secrets. `personal` says which kinds of personal data count as secret."""
    rows = _suspects(texts, personal)
    blocks = _key_blocks(texts)
    if not len(rows) and not blocks:
        return texts
    few = texts.gather(rows)
    distinct = few.unique().drop_nulls()
    marker = _Marker(key, frozenset(personal))
    cleaned = pl.Series([marker.clean(t) for t in distinct], dtype=pl.String)
    changed = (distinct != cleaned).arg_true()
    if not len(changed) and not blocks:
        return texts
    table = pl.DataFrame({"text": distinct.gather(changed), "clean": cleaned.gather(changed)})
    places = pl.DataFrame({"row": rows, "text": few}).join(table, on="text")
    done = texts.clone().scatter(places["row"], places["clean"]) if places.height else texts
    if blocks:
        lines = pl.Series(sorted(blocks), dtype=pl.UInt32)
        inner = [marker.block_line(t) for t in done.gather(lines)]
        done = done.clone().scatter(lines, pl.Series(inner, dtype=pl.String))
    return done.alias(texts.name)


def redact_text(text: str, key: bytes, personal: Collection[str] = PERSONAL_KINDS) -> str:
    """`redact` for one text of any number of lines."""
    return "\n".join(redact(pl.Series(text.split("\n"), dtype=pl.String), key, personal))


def check(text: str, personal: Collection[str] = PERSONAL_KINDS) -> list[Finding]:
    """What would be redacted in a sample, and what is left that looks random enough to be a secret."""
    marker = _Marker(b"check", frozenset(personal))
    lines = text.split("\n")
    cleaned = redact_text(text, b"check", personal).split("\n")
    found = []
    for number, (line, clean) in enumerate(zip(lines, cleaned, strict=True), 1):
        marker.seen.clear()
        marker.clean(line)
        taken = [Finding(kind, number, secret, True) for kind, secret in marker.seen]
        if not taken and clean != line:
            taken = [Finding("private_key", number, line.strip(), True)]
        found += taken
        rest = MARK.sub(" ", clean)
        found += [Finding("unknown", number, t, False) for t in _TOKEN.findall(rest) if _looks_secret(t)]
    return found


def _looks_secret(token: str) -> bool:
    """Random characters of several classes that are no id, digest, path or word of a known shape."""
    if _KNOWN_ID.fullmatch(token) or not any(c.isdigit() for c in token) or token == token.lower():
        return False
    counts = Counter(token)
    entropy = -sum(n / len(token) * math.log2(n / len(token)) for n in counts.values())
    return entropy > 3.5


def _suspects(texts: pl.Series, personal: Collection[str]) -> pl.Series:
    """The rows that a rule may change: literals first, then a coarse regex on what they leave."""
    literal = texts.str.contains_any(list(GATES), ascii_case_insensitive=True).fill_null(False).arg_true()
    coarse = literal.gather(texts.gather(literal).str.replace_all(_COLOUR.pattern, " ").str.contains(COARSE).arg_true())
    if not {"phone", "card", "id_number"} & set(personal):
        return coarse
    digits = texts.str.contains(COARSE_DIGITS).fill_null(False).arg_true()
    return pl.concat([coarse, digits]).unique().sort()


def _key_blocks(texts: pl.Series) -> set[int]:
    """The rows inside private keys that are printed over several lines, also if only one edge is in this batch."""
    edges = texts.str.contains("PRIVATE KEY", literal=True).fill_null(False).arg_true()
    if not len(edges):
        return set()
    inside: set[int] = set()
    for row in edges:
        for mark, step in (("BEGIN", 1), ("END", -1)):
            text = texts[row]
            tail = text.rpartition(f"-----{mark}")[2]
            if not re.search(rf"-----{mark} [A-Z ]*PRIVATE KEY", text) or (mark == "BEGIN" and "-----END" in tail):
                continue
            at = row + step
            while 0 <= at < len(texts) and abs(at - row) < _LONGEST_BLOCK and _BLOCK_LINE.search(texts[at] or ""):
                inside.add(at)
                at += step
    return inside


class _Marker:
    """Applies the rules to one text. `seen` collects what was taken, for `check`."""

    def __init__(self, key: bytes, personal: frozenset[str]) -> None:
        self._key = hashlib.blake2b(key, digest_size=32).digest()
        self._rules = RULES
        self._personal = tuple(rule for rule in PERSONAL if rule.kind in personal)
        self.seen: list[tuple[str, str]] = []

    def mark(self, kind: str, secret: str) -> str:
        self.seen.append((kind, secret))
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=self._key, digest_size=3).hexdigest()
        return f"[redacted:{kind}:{digest}]"

    def clean(self, text: str) -> str:
        """The text without secrets. Colours are taken for white space meanwhile: their letters are no part of a word."""
        colours = _COLOUR.findall(text)
        blank = next((c for c in "\x1c\x1d\x1e\x1f" if c not in text), None) if colours else None
        if blank is None:
            return self._cleaned(text)
        parts = self._cleaned(_COLOUR.sub(blank, text)).split(blank)
        if len(parts) != len(colours) + 1:  # one was within a secret
            return "".join(parts)
        return "".join(part + colour for part, colour in zip(parts, [*colours, ""], strict=True))

    def _cleaned(self, text: str) -> str:
        text = COOKIES.sub(self._cookies, text)
        for rule in self._rules:
            text = self._apply(rule, text)
        text = BY_NAME.sub(self._by_name, text)
        for rule in self._personal:
            text = self._apply(rule, text)
        return text

    def block_line(self, text: str) -> str:
        return _BLOCK_LINE.sub(lambda m: self.mark("private_key", m["s"]) if m["s"] else m[0], text)

    def _apply(self, rule: Rule, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            secret = match["s"]
            if secret.startswith("[redacted:") or not rule.accept(match):
                return match[0]
            start, end = match.start("s") - match.start(), match.end("s") - match.start()
            return match[0][:start] + self.mark(rule.kind, secret) + match[0][end:]

        return rule.regex.sub(replace, text)

    def _by_name(self, match: re.Match[str]) -> str:
        if not named_is_secret(match):
            return match[0]
        where = named_group(match)
        secret, name = match[where], match["name"].lower()
        kind = "token" if name.endswith(("token", "令牌")) else "password" if "pass" in name or "pwd" in name else "secret"
        start, end = match.start(where) - match.start(), match.end(where) - match.start()
        return match[0][:start] + self.mark(kind, secret) + match[0][end:]

    def _cookies(self, match: re.Match[str]) -> str:
        jar, count = match["jar"], 1 if match["set"] else 0

        def replace(pair: re.Match[str]) -> str:
            return pair[0] if pair["s"].startswith("[redacted:") else f"{pair['name']}={self.mark('cookie', pair['s'])}"

        return match[0][: match.start("jar") - match.start()] + COOKIE.sub(replace, jar, count=count)
