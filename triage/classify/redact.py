"""Replaces secrets before anything is stored: `redact` on lines, `check` for what a rule set does to a sample.

The same secret gets the same short mark, `[redacted:<kind>:<6 hex>]`, keyed so that nobody without the key can try
guesses against it: correlation survives, the secret does not. Redacting twice changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from urllib.parse import unquote

import polars as pl

from triage.classify import own_kinds, pieces, secret_lines, secret_names
from triage.classify.own_kinds import MARK, OwnKind
from triage.classify.personal_data import BEFORE_NUMBER, NUMBER_STARTS, PERSONAL
from triage.classify.places import Text, matches, replaced
from triage.classify.secret_commands import COMMANDS
from triage.classify.secret_rules import BEFORE, RULES, Rule, quick
from triage.classify.secret_shapes import SHAPES

PERSONAL_KINDS = frozenset(rule.kind for rule in PERSONAL)

# A line of a key at the end of a line of log, or as a value in it; a line of its head; a blank one. Its last line, in
# front of its end, may be short.
_AT_END = r"(?=(?:\s|\x1b\[[0-9;]*m)*$)"
_BLOCK_TEXT = rf"[A-Za-z0-9+/=]{{16,128}}{_AT_END}|(?<![\w+/=])(?!\d+\b)(?:[A-Za-z0-9+/]{{16,128}}={{0,2}}|[A-Za-z0-9+/]{{2,}}==?)(?![\w+/=\[])"
_BLOCK_LINE = re.compile(rf"(?P<s>{_BLOCK_TEXT})|^\s*(?:Proc-Type|DEK-Info): .*$|^\W*$")
_LAST_LINE = re.compile(rf"(?P<s>[A-Za-z0-9+/=]{{1,128}}{_AT_END}|{_BLOCK_TEXT})")
_COLOUR = re.compile(r"(?:\x1b|\\+u001[bB]|\\+x1[bB]|\\033)\[[0-9;]*m")  # also as JSON and Python write it
_LONGEST_BLOCK = 200  # lines
_ROUNDS = 3
_BETWEEN = pl.Series(["the end of a batch"] * 4)  # as many lines as a rule looks ahead, and none is one of a key
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_KNOWN_ID = re.compile(
    r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:0x)?[0-9a-f]+|[a-z_/+=-]+|\d[\d_-]*|(?:[a-z0-9]+[/_-])+[a-z]+"
)
# Gates in front of the rules: literals in one pass, coarse regexes on what they leave; and one pass for all that tells
# by its own shape.
_WORDED = (*RULES, *COMMANDS, *(rule for rule in PERSONAL if rule.gates))
_NUMBERS = tuple(rule for rule in PERSONAL if not rule.gates)
# A letter that JSON need not escape: somebody hides a name, or an encoder escapes all. And signs that encoders escape
# for the sake of a page, or a page has in words.
_LETTER = r"\\+u00(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])"
_SIGN = r"(?:\\+u00(?:2[27]|3[acde])|&(?:quot|apos|lt|gt|#0?3[49]|#x2[27]);)"
_ESCAPED = re.compile(r"(?i)(?P<slashes>\\+)u00(?P<code>4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a]|2[267]|3[acde])|&(?P<word>quot|apos|lt|gt|#0?3[49]|#x2[27]);")
_STRING_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|([\"'/]))")
_SIGNS = {"lt": "<", "gt": ">"}  # the others are quotes: the one that JSON needs no backslash for
_ESCAPED_GATES = (r"\u004", r"\u005", r"\u006", r"\u007")
_LITERALS = {*_ESCAPED_GATES, *secret_names.GATES, *secret_names.POSITIONAL_GATES, *(gate for rule in _WORDED for gate in rule.gates)}
GATES = sorted(one for one in _LITERALS if not any(other in one for other in _LITERALS - {one}))
_COARSE = list(
    dict.fromkeys(map(quick, (_LETTER, rf"(?:{secret_names.COARSE_SURE}|key){_SIGN}", secret_names.COARSE, secret_names.POSITIONAL_COARSE, *(rule.coarse for rule in _WORDED))))
)
_PARTS = 3  # one regex of all would be more than the engine's automaton can hold
COARSE = tuple("|".join(_COARSE[part::_PARTS]) for part in range(_PARTS))
# In Python the literals of a text tell which rules are worth trying, and where.
_TRIED = (*RULES, *COMMANDS, *SHAPES)
_OF_LITERAL = {one: [n for n, rule in enumerate(_TRIED) if one in rule.starts] for rule in _TRIED for one in rule.starts}
_TOLD = tuple({*_LITERALS, *_OF_LITERAL})
_SHAPES = f"{BEFORE}(?:{'|'.join(rule.coarse for rule in SHAPES)})"


@dataclass(frozen=True, slots=True)
class Kinds:
    """What counts as secret besides what always does: kinds of personal data, and the user's own."""

    personal: frozenset[str] = PERSONAL_KINDS
    own: tuple[OwnKind, ...] = ()


ALL = Kinds()


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of a sample: one that is redacted (`kind` of secret), or one that looks like a secret and is not."""

    kind: str
    line: int
    text: str
    redacted: bool


def redact(texts: pl.Series, key: bytes, kinds: Kinds = ALL) -> pl.Series:
    """The texts without their secrets."""
    return _redacted(_pieces(texts, key, kinds), key, kinds)


def _pieces(texts: pl.Series, key: bytes, kinds: Kinds) -> pl.Series:
    """Lines that an engine has cut are redacted whole; one that changed stands in its first piece."""
    lines = list(pieces.lines(texts))
    if not lines:
        return texts
    whole = pl.Series(["".join(texts[p.row][p.start : p.end] for p in line) for line in lines], dtype=pl.String)
    changed: dict[int, str] = {}
    for line, before, after in zip(lines, whole, _redacted(whole, key, kinds), strict=True):
        for number, p in enumerate(line if before != after else ()):
            changed[p.row] = texts[p.row][: p.start] + ("" if number else after) + texts[p.row][p.end :]
    return texts.clone().scatter(list(changed), pl.Series(list(changed.values()), dtype=pl.String)) if changed else texts


def _redacted(texts: pl.Series, key: bytes, kinds: Kinds) -> pl.Series:
    marker = _Marker(key, kinds)
    texts = own_kinds.redacted(texts, kinds.own, marker.mark)
    worded = texts.str.contains_any(GATES, ascii_case_insensitive=True).fill_null(False).arg_true()
    texts = marker.placed(texts, secret_lines.values(texts, worded))
    rows = _suspects(texts, worded, kinds.personal)
    blocks = _key_blocks(texts)
    if not len(rows) and not blocks:
        return texts
    few = texts.gather(rows)
    distinct = few.unique().drop_nulls()
    cleaned = pl.Series([marker.clean(t) for t in distinct], dtype=pl.String)
    changed = (distinct != cleaned).arg_true()
    if not len(changed) and not blocks:
        return texts
    table = pl.DataFrame({"text": distinct.gather(changed), "clean": cleaned.gather(changed)})
    places = pl.DataFrame({"row": rows, "text": few}).join(table, on="text")
    done = texts.clone().scatter(places["row"], places["clean"]) if places.height else texts
    if blocks:
        lines = pl.Series(sorted(blocks), dtype=pl.UInt32)
        inner = [marker.block_line(t, blocks[row]) for row, t in zip(lines, done.gather(lines), strict=True)]
        done = done.clone().scatter(lines, pl.Series(inner, dtype=pl.String))
    return done.alias(texts.name)


def redact_apart(texts: Sequence[pl.Series], key: bytes, kinds: Kinds = ALL) -> list[pl.Series]:
    """`redact` for the lines of several origins in one pass, of which none tells anything of another's."""
    if len(texts) == 1:
        return [redact(texts[0], key, kinds)]
    done = redact(pl.concat([part for text in texts for part in (text, _BETWEEN)], rechunk=True), key, kinds)
    starts = accumulate((len(text) + len(_BETWEEN) for text in texts), initial=0)
    return [done.slice(start, len(text)) for start, text in zip(starts, texts, strict=False)]


def redact_text(text: str, key: bytes, kinds: Kinds = ALL) -> str:
    """`redact` for one text of any number of lines."""
    return "\n".join(redact(pl.Series(text.split("\n"), dtype=pl.String), key, kinds))


def check(text: str, kinds: Kinds = ALL) -> list[Finding]:
    """What would be redacted in a sample, and what is left that looks random enough to be a secret."""
    marker = _Marker(b"check", kinds)
    lines = text.split("\n")
    cleaned = redact_text(text, b"check", kinds).split("\n")
    found = []
    for number, (line, clean) in enumerate(zip(lines, cleaned, strict=True), 1):
        marker.seen.clear()
        marker.clean(own_kinds.redacted(pl.Series([line], dtype=pl.String), kinds.own, marker.mark).item())
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


def _suspects(texts: pl.Series, worded: pl.Series, personal: Collection[str]) -> pl.Series:
    """The rows that a rule may change: of those with a literal of a rule, which a coarse regex leaves; and shapes."""
    few = texts.gather(worded).str.replace_all(_COLOUR.pattern, " ").str.to_lowercase()
    coarse = few.to_frame("text").select(pl.any_horizontal(pl.col("text").str.contains(part) for part in COARSE))
    rows = worded.filter(coarse.to_series())
    numbers = "|".join(rule.coarse for rule in _NUMBERS if rule.kind in personal)
    shaped = f"(?i){_SHAPES}|{BEFORE_NUMBER}(?:{numbers})" if numbers else f"(?i){_SHAPES}"
    return pl.concat([rows, texts.str.contains(shaped).fill_null(False).arg_true()]).unique().sort()


def _key_blocks(texts: pl.Series) -> dict[int, re.Pattern[str]]:
    """The rows inside private keys that are printed over several lines, also if only one edge is in this batch."""
    edges = texts.str.contains_any(["PRIVATE KEY", "Private-Lines:"]).fill_null(False).arg_true()
    inside: dict[int, re.Pattern[str]] = {}
    for row in edges:
        text = texts[row]
        begin, end = (re.search(rf"-----{mark} [A-Z ]*PRIVATE KEY", text) for mark in ("BEGIN", "END"))
        if (begin and not end) or "Private-Lines:" in text:
            inside |= dict.fromkeys(_run(texts, row + 1, 1), _BLOCK_LINE)
        elif end and not begin:
            above = _run(texts, row - 2, -1)
            inside |= dict.fromkeys(above, _BLOCK_LINE)
            if row and (above or row - 1 in inside or (row == 1 and _BLOCK_LINE.search(texts[0] or ""))):
                inside[row - 1] = _LAST_LINE
    return inside


def _run(texts: pl.Series, at: int, step: int) -> list[int]:
    """The rows from one on, in a direction, that may be lines of a key."""
    rows: list[int] = []
    while 0 <= at < len(texts) and len(rows) < _LONGEST_BLOCK and _BLOCK_LINE.search(texts[at] or ""):
        rows.append(at)
        at += step
    return rows


class _Marker:
    """Applies the rules to one text. `seen` collects what was taken, for `check`."""

    def __init__(self, key: bytes, kinds: Kinds) -> None:
        self._key = hashlib.blake2b(key, digest_size=32).digest()
        self._personal = tuple(rule for rule in PERSONAL if rule.kind in kinds.personal)
        self.seen: list[tuple[str, str]] = []

    def mark(self, kind: str, secret: str) -> str:
        self.seen.append((kind, secret))
        digest = hashlib.blake2b(_as_meant(secret).encode("utf-8", "surrogatepass"), key=self._key, digest_size=3).hexdigest()
        return f"[redacted:{kind}:{digest}]"

    def clean(self, text: str) -> str:
        """The text without secrets, as it was if it has none: a name may have its letters escaped."""
        plain = _ESCAPED.sub(_unescaped, text)
        done = self._uncoloured(plain)
        if done == plain:
            return text
        for _ in range(_ROUNDS):  # what is left around a mark may be random enough now
            before, done = done, self._uncoloured(done)
            if before == done:
                break
        return done

    def _uncoloured(self, text: str) -> str:
        """Colours are taken for white space meanwhile: their letters are no part of a word."""
        colours = _COLOUR.findall(text)
        blank = next((c for c in "\x1c\x1d\x1e\x1f" if c not in text), None) if colours else None
        if blank is None:
            return self._cleaned(text)
        parts = self._cleaned(_COLOUR.sub(blank, text)).split(blank)
        if len(parts) != len(colours) + 1:  # one was within a secret
            return "".join(parts)
        return "".join(part + colour for part, colour in zip(parts, [*colours, ""], strict=True))

    def _cleaned(self, text: str) -> str:
        placed = Text(text)
        told = {literal for literal in _TOLD if literal in placed.low}
        for rule in (_TRIED[n] for n in sorted({n for literal in told for n in _OF_LITERAL.get(literal, ())})):
            if not rule.gates or not told.isdisjoint(rule.gates):
                placed = self._apply(rule, placed)
        if not told.isdisjoint(secret_names.POSITIONAL_GATES):
            found = matches(placed.text, secret_names.POSITIONAL, placed.places(("(",)))
            placed = placed.changed(replaced(placed.text, found, self._by_position))
        if not told.isdisjoint(secret_names.GATES):
            placed = placed.changed(replaced(placed.text, secret_names.by_name(placed), self._by_name))
        for rule in self._personal:
            if not rule.gates or not told.isdisjoint(rule.gates):
                placed = self._apply(rule, placed)
        return placed.text

    def placed(self, texts: pl.Series, places: Iterable[tuple[int, int, int]]) -> pl.Series:
        """The texts with what stands at (row, start, end) marked."""
        changed: dict[int, str] = {}
        for row, start, end in sorted(set(places), reverse=True):  # from the end on: the places before stay where they are
            text = changed.get(row) or texts[row]
            if not MARK.search(text[start:end]):
                changed[row] = text[:start] + self.mark("secret", text[start:end]) + text[end:]
        if not changed:
            return texts
        return texts.clone().scatter(list(changed), pl.Series(list(changed.values()), dtype=pl.String))

    def block_line(self, text: str, shape: re.Pattern[str]) -> str:
        return shape.sub(lambda m: self.mark("private_key", m["s"]) if m["s"] else m[0], text)

    def _apply(self, rule: Rule, text: Text) -> Text:
        starts = text.places(rule.starts or NUMBER_STARTS)
        if not starts:
            return text

        def replace(match: re.Match[str]) -> str:
            if rule.inner is not None:
                return _within(match, "s", rule.inner.sub(marked, match["s"]))
            return marked(match)

        def marked(match: re.Match[str]) -> str:
            secret = match["s"]
            if _in_mark(match.string, match.start("s")) or not rule.accept(match):
                return match[0]
            return _within(match, "s", self.mark(rule.kind, secret))

        return text.changed(replaced(text.text, matches(text.text, rule.regex, starts, rule.reach, rule.stands), replace))

    def _by_name(self, match: re.Match[str]) -> str:
        start, end = secret_names.value_of(match)
        name, value = secret_names.name_of(match), match.string[start:end]
        if _in_mark(match.string, start) or not secret_names.is_secret(match, name, value):
            return match[0]
        mark = self.mark(secret_names.kind_of(name), value)
        return match.string[match.start() : start] + mark + match.string[end : match.end()]

    def _by_position(self, match: re.Match[str]) -> str:
        text = match[0]
        for start, end, name in reversed(secret_names.positions(match)):
            text = text[:start] + self.mark(secret_names.kind_of(name), text[start:end]) + text[end:]
        return text


def _as_meant(secret: str) -> str:
    """A secret as it is without the escapes of JSON and of addresses, so that its mark is the same with and without."""
    if "\\" in secret:
        secret = _STRING_ESCAPE.sub(lambda m: m[2] or chr(int(m[1], 16)), secret)
    return unquote(secret) if "%" in secret else secret


def _unescaped(match: re.Match[str]) -> str:
    """The letter or sign that is written another way; a quote stays as deep within JSON as it was."""
    if match["word"]:
        return _SIGNS.get(match["word"].lower(), "'")
    sign = chr(int(match["code"], 16))
    return (match["slashes"] * 2)[:-1] + sign if sign == '"' else sign


def _in_mark(text: str, start: int) -> bool:
    """Whether what begins there is, or begins in, what has been redacted already."""
    opened = text.rfind("[redacted:", max(0, start - 40), start + 10)
    return opened >= 0 and "]" not in text[opened:start]


def _within(match: re.Match[str], group: str, text: str) -> str:
    """The matched text with one of its groups replaced."""
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + text + match[0][end:]
