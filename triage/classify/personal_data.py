"""What tells of a person: card and resident numbers with their check digits, telephone numbers, addresses of mail.

`triage.toml` says which kinds count as secret. Run times, sizes and ids are full of digits, so the borders matter most.
"""

from __future__ import annotations

import re

from triage.classify.secret_rules import BEFORE, EDGE, Rule, rule


def _luhn(match: re.Match[str]) -> bool:
    digits = [int(c) for c in match["s"] if c.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(odd) + sum(sum(divmod(2 * d, 10)) for d in even)) % 10 == 0 and len(set(digits)) > 1


def _resident(match: re.Match[str]) -> bool:
    """The check character of a Chinese resident number (GB 11643)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    number = match["s"].upper()
    return "10X98765432"[sum(int(c) * w for c, w in zip(number, weights, strict=False)) % 11] == number[17]


def _iban(match: re.Match[str]) -> bool:
    """The check digits of ISO 13616."""
    number = match["s"].replace(" ", "")
    return 15 <= len(number) <= 34 and int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


# A whole word or the last word of a name: `refused: 138…` is no counter, though it ends in `used`.
_COUNTER = re.compile(
    r"(?:(?<![A-Za-z])(?i:size|bytes?|length|offset|limit|used|total|count|rss|mem\w*|pid|txid|xid|lsn|seq|id)"
    r"|(?<=[a-z])(?:Size|Bytes?|Length|Offset|Limit|Used|Total|Count|Seq|Id))[\"']?\s*[=:]\s*[\"']?$"
)


def _phone(match: re.Match[str]) -> bool:
    """Not a size or a counter, which may have eleven digits too."""
    return match.start() < match.start("s") or not _COUNTER.search(match.string, max(0, match.start() - 40), match.start("s"))


def _international(match: re.Match[str]) -> bool:
    digits = sum(c.isdigit() for c in str(match["s"]))
    return 10 <= digits <= 15


def _email(match: re.Match[str]) -> bool:
    """Not `celery@host.name` or `git@github.com`, which name programs."""
    return match["local"].lower() not in {"celery", "git", "worker", "beat", "rabbit", "root", "noreply", "no-reply"}


# A number begins neither within an id nor behind a decimal point.
_LEFT = EDGE.replace("[A-Za-z0-9_]", "[A-Za-z0-9_.-]")
BEFORE_NUMBER = BEFORE.replace("[^0-9a-z_]", "[^0-9a-z_.-]")
# Where one may begin, as a regex that tells by the first character first: the engine jumps to those.
NUMBER_STARTS = re.compile(rf"[0-9+(%A-Z](?:(?<=[0-9])(?=\d[\d )-][\d .()-]{{6}})|(?<=[+(%])(?=[0-9+%])|(?<=[A-Z])(?=[A-Z]\d\d)){_LEFT.replace(')|', '.)|').replace('))', '.))')}")
_RIGHT = r"(?![A-Za-z0-9_-]|\.\d)"
_PHONE_CN = r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
# Visa, Mastercard, Discover, UnionPay, JCB of sixteen digits; then UnionPay's nineteen, American Express, Diners.
_CARD_HEAD = r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|[245]\d\d)|35[2-8]\d)"
_CARD = (
    rf"{_CARD_HEAD}(?:(?P<g>[ -])?\d{{4}}(?:(?P=g)\d{{4}}){{2}}(?:(?P=g)\d{{3}})?|\d{{12}}(?:\d{{3}})?)"
    r"|3[47]\d\d(?:[ -]?\d{6}[ -]?\d{5}|(?P<h>[ -])\d{4}(?P=h)\d{4}(?P=h)\d{3})"
    r"|3(?:0\d|[68]\d)\d(?:(?P<i>[ -])?\d{4}(?:(?P=i)\d{4}(?P=i)\d{2}|(?P=i)\d{6})|\d{10}|[ -]\d{6}[ -]\d{4})"
)


PERSONAL: tuple[Rule, ...] = (
    rule("id_number", "", r"[1-9][0-9]{16}[0-9Xx]", rf"{_LEFT}(?P<s>[1-9]\d{{5}}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{{3}}[\dXx])(?![A-Za-z0-9_-])", _resident),
    rule("card", "", r"(?:[2-6][0-9]{13,14}|[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{2}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4})", rf"{_LEFT}(?P<s>{_CARD}){_RIGHT}", _luhn),
    rule("phone", "", r"(?:(?:\+|%2[Bb]|00)?86\)?[ -]?)?1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})", rf"{_LEFT}(?:\(?(?:\+|%2[Bb]|00)?86\)?[ -]?)?(?P<s>{_PHONE_CN}(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}}))(?![A-Za-z0-9_-]|\.\d|\s?(?:bytes|[KMG]?i?B\b|[mun]?s\b|kB))", _phone),
    rule("phone", "", r"(?:\+|%2[Bb])[1-9][0-9() .-]{9}", rf"{EDGE.replace('[A-Za-z0-9_]', '[A-Za-z0-9_.)+-]')}(?:\+|%2[Bb])(?P<s>[1-9]\d{{0,2}}(?:[ .-]?\(?\d{{1,4}}\)?){{2,6}})(?![A-Za-z0-9_-]|[.:]\d|\s?(?:bytes|[KMG]?i?B\b|[mun]?s\b|kB))", _international),
    rule("phone", "", r"(?:\([0-9]{3}\) ?|[0-9]{3}-)[0-9]{3}-[0-9]{4}|0[1-9][0-9]{1,2}-[2-8][0-9]{6}", rf"{_LEFT}(?P<s>(?:\([2-9]\d\d\) ?|[2-9]\d\d-)[2-9]\d\d-\d{{4}}|0[1-9]\d{{1,2}}-[2-8]\d{{6,7}}){_RIGHT}"),
    rule("id_number", "", r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}", rf"{_LEFT}(?P<s>(?!000|666)[0-8]\d\d-(?!00)\d\d-(?!0000)\d{{4}}){_RIGHT}"),
    rule("iban", "", r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}", rf"{_LEFT}(?P<s>[A-Z]{{2}}\d\d(?:[A-Z0-9]{{11,30}}|(?: [A-Z0-9]{{4}}){{2,7}}(?: [A-Z0-9]{{1,3}})?))(?![A-Za-z0-9_-])", _iban),
    rule("email", "@|%40", r"[\w.+-](?:@|%40)[0-9a-z-]+\.[0-9a-z-]", rf"{EDGE.replace('[A-Za-z0-9_]', '[A-Za-z0-9_.+/-]')}(?P<s>(?P<local>[A-Za-z0-9][\w.+-]{{0,63}})(?:@|%40)(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}[A-Za-z]{{2,24}})(?![A-Za-z0-9_@-]|\.\w|:/)", _email, reach=64),
)  # fmt: skip
