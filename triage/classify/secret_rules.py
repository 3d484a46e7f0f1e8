"""What a secret looks like: by shape, by the name in front of it, by the syntax around it; and personal data.

Tables only; `redact.py` applies them. A rule's regex has a group `s`, the part that is replaced. `GATES` are literals
of which one occurs in every text that a rule could change, so that other texts cost one pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to see a secret. `accept` judges the matched text where a regex cannot."""

    kind: str
    regex: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] = lambda match: True


# Words that stand where a secret would, and placeholders: `token: expired`, `password=%s`, `key=${KEY}`, `***`.
_NO_SECRET = re.compile(
    r"""(?ix) (?: null | none | nil | undefined | true | false | yes | no | on | off | empty | unset | missing | required
    | expired? | invalid | incorrect | wrong | rejected | revoked | refreshed | refresh | mismatch | failed | failure
    | error | changed | updated | reset | not | is | was | has | must | cannot | for | from | string | str | bytes | int
    | authentication | authenticated | scram-sha-256 | md5 | trust | bearer | basic | redacted | hidden | masked | filtered
    | validation | ok | success | provided | unknown | type=\w+ | secretstr.* | getenv.* | os\.environ.*
    | [*•x.•#-]+ | <[^>]*> | \$\{?\w+\}? | \$\d+ | %\(?\w*\)?s | \{+\w*\}+ | :\w+ | \?+ | \[redacted:.* | \[filtered\] )[.,;:!?)]* """
)


def _is_value(text: str) -> bool:
    return _NO_SECRET.fullmatch(text) is None


def _looks_random(text: str) -> bool:
    """For a bare word after `token: ` in prose: a secret has digits or a mix of cases, or is long."""
    bare = text.strip(".,;:!?()[]")
    if len(bare) < 6:
        return False
    return any(c.isdigit() for c in bare) or (bare != bare.lower() and bare != bare.capitalize()) or len(bare) >= 24


def named_group(match: re.Match[str]) -> str:
    """The group of `BY_NAME` that holds the value."""
    return "quoted" if match["quoted"] is not None else "bare"


def named_is_secret(match: re.Match[str]) -> bool:
    """Whether what follows a telling name is a value, and not a word about it."""
    value, name = match[named_group(match)], match["name"].lower()
    if not _is_value(value):
        return False
    strong = "pass" in name or "pwd" in name
    if not strong and value.isdigit() and len(value) < 12:
        return False  # max_token=4096
    if name.split("_")[-1].split("-")[-1] == "pass" and value.isdigit():
        return False  # pass=12 fail=0
    bare = not match["quote"] and match["sep"].strip() == ":" and match["sep"] != ":"
    return not bare or _looks_random(value) or (strong and len(value) >= 4 and not value.isalpha())


def _luhn(match: re.Match[str]) -> bool:
    digits = [int(c) for c in match["s"] if c.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(odd) + sum(sum(divmod(2 * d, 10)) for d in even)) % 10 == 0 and len(set(digits)) > 1


def _id_number(match: re.Match[str]) -> bool:
    """The check character of a Chinese resident number (GB 11643)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    number = match["s"].upper()
    return "10X98765432"[sum(int(c) * w for c, w in zip(number, weights, strict=False)) % 11] == number[17]


# A whole word or the last word of a name: `refused: 138…` is no counter, though it ends in `used`.
_COUNTER = re.compile(
    r"(?:(?<![A-Za-z])(?i:size|bytes?|length|offset|limit|used|total|count|rss|mem\w*|pid|txid|xid|lsn|seq|id)"
    r"|(?<=[a-z])(?:Size|Bytes?|Length|Offset|Limit|Used|Total|Count|Seq|Id))[\"']?\s*[=:]\s*[\"']?$"
)


def _phone(match: re.Match[str]) -> bool:
    """Not a size or a counter, which may have eleven digits too."""
    return "+86" in match[0] or not _COUNTER.search(match.string, max(0, match.start() - 40), match.start("s"))


def _email(match: re.Match[str]) -> bool:
    """Not `celery@host.name` or `git@github.com`, which name programs."""
    return match["local"].lower() not in {"celery", "git", "worker", "beat", "rabbit", "root", "noreply", "no-reply"}


def _has_digit(match: re.Match[str]) -> bool:
    return any(c.isdigit() for c in match["s"])


_NAME = (
    r"password|passwd|passphrase|passwort|passcode|pwd|pass|secret|token|api[_ -]?key|apikey|access[_-]?key(?:[_-]?id)?"
    r"|secret[_-]?(?:access[_-]?)?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|credentials?"
    r"|secret[_-]?id|app[_-]?secret|client[_-]?secret|requirepass|masterauth|otp|密码|口令|密钥|令牌"
    # the same as JSON escapes them
    r"|\\+u5bc6\\+u7801|\\+u53e3\\+u4ee4|\\+u5bc6\\+u94a5|\\+u4ee4\\+u724c"
)
# "password": "x", password='x', PASSWORD=x, \"token\":\"x\", (b'x-api-key', b'x'), secret => x
_BY_NAME = (
    rf"(?i)(?<![A-Za-z0-9])(?<!\[redacted:)(?P<name>(?:[A-Za-z0-9]+[_.-])*?[A-Za-z0-9]{{0,24}}?(?:{_NAME}))(?:\\*[\"'])?"
    r"(?P<sep>\s*(?:=>|:=|[:=：])\s*|\s*(?<=[\"']),\s*)b?(?P<quote>\\*[\"'])?"
    r"(?:(?<=[\"'])(?P<quoted>(?:(?!(?P=quote))(?:\\.|.)){1,4096})(?=(?P=quote))"
    r"|(?P<bare>[^\s\"'&,;\\]{1,4096}?)(?=[)\]}>]*(?:[\s\"'&,;\\]|$)))"
)


def _rule(kind: str, regex: str, accept: Callable[[re.Match[str]], bool] = lambda match: True) -> Rule:
    # A word of Chinese in front of a secret is no part of it, though \b takes its characters for letters.
    return Rule(kind, re.compile(regex.replace(r"\b", r"(?a:\b)")), accept)


BY_NAME = re.compile(_BY_NAME)

# The order matters: what stands in a header or a key block is gone before names and shapes are looked for.
RULES: tuple[Rule, ...] = (
    _rule("private_key", r"(?s)(?P<s>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z))"),
    _rule("authorization", r"(?i)\bauthorization\\*[\"']?\s*[:=,]\s*b?\\*[\"']?(?:digest|aws4-hmac-sha256|oauth|hmac\S*)\s+(?P<s>(?:[\w-]+=(?:\\*\"[^\"\\\r\n]*\\*\"|[^\s,\"'\\]+)(?:,\s*)?)+)"),
    _rule("authorization", r"(?i)\bauthorization\\*[\"']?\s*[:=,]\s*b?\\*[\"']?(?:digest|aws4-hmac-sha256|oauth|hmac\S*)\s+(?P<s>[^\"'\r\n]{8,})"),
    _rule("authorization", r"(?i)\bauthorization\\*[\"']?\s*[:=,]\s*b?\\*[\"']?(?:(?:bearer|basic|token|apikey|negotiate|bot|key|jwt)\s+)(?P<s>[^\s\"',;\\)\]}]+)", lambda m: _is_value(m["s"])),
    _rule("authorization", r"(?i)\bauthorization\\*[\"']?\s*[:=]\s*b?\\*[\"']?(?P<s>[^\s\"',;\\)\]}]{8,})", lambda m: _is_value(m["s"]) and _looks_random(m["s"])),
    _rule("authorization", r"(?i)\bbearer\s+(?P<s>[A-Za-z0-9._~+/=-]{12,})", _has_digit),
    _rule("password", r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"'<>]{0,256}:(?P<s>[^\s/\"'<>]{1,512})@(?=[\w.\[(*-])", lambda m: _is_value(m["s"])),
    _rule("password", r"(?i)\b(?:password|identified\s+by(?:\s+password)?)\s+\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')", lambda m: _is_value(m["s"])),
    _rule("password", r"(?i)(?:(?<![A-Za-z0-9])--?(?:password|passwd|pass|secret|token|api-key|requirepass|masterauth)|\b(?:requirepass|masterauth))\s+[\"']?(?P<s>[^\s\"'-][^\s\"']*)", lambda m: _is_value(m["s"])),
    _rule("password", r"(?i)\b(?:authorization_code|client_secret|pin_?code)=(?P<s>[^\s&\"']{4,})"),
    _rule("jwt", r"\b(?P<s>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    _rule("api_key", r"(?<![A-Za-z0-9_])(?P<s>sk-[A-Za-z0-9_*-]{16,})", _has_digit),
    _rule("api_key", r"(?i)\bapi[ _]key(?: provided)?: (?P<s>[^\s,;'\"]*[^\s,;'\".])", lambda m: _is_value(m["s"]) and (m["s"].startswith("sk-") or _looks_random(m["s"]))),
    _rule("api_key", r"(?<![A-Za-z0-9])(?P<s>(?:AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{16})(?![A-Za-z0-9])"),
    _rule("api_key", r"(?<![A-Za-z0-9_])(?P<s>(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{20,}))"),
    _rule("api_key", r"(?<![A-Za-z0-9])(?P<s>xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})"),
    _rule("api_key", r"hooks\.slack\.com/services/(?P<s>[A-Za-z0-9/]{20,})"),
    _rule("api_key", r"(?<![A-Za-z0-9_-])(?P<s>AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})"),
    _rule("api_key", r"(?<![A-Za-z0-9_])(?P<s>(?:hf|npm|dop_v1|doo_v1|shpat|shpss|lin_api|r8|gsk|nvapi|pplx|xai)[_-][A-Za-z0-9_-]{28,})", _has_digit),
    _rule("api_key", r"(?<![A-Za-z0-9_])(?P<s>(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,})", _has_digit),
    _rule("api_key", r"(?<![A-Za-z0-9_])(?P<s>SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|pypi-AgE[A-Za-z0-9_-]{20,}|LTAI[A-Za-z0-9]{12,24}|AKID[A-Za-z0-9]{13,40})"),
    _rule("api_key", r"(?<![A-Za-z0-9])(?P<s>\d{8,10}(?::|%3[Aa])AA[A-Za-z0-9_-]{33})"),
)  # fmt: skip

COOKIES = re.compile(r"(?i)\b(?P<set>set-)?cookie\\*[\"']?\s*[:=,]\s*b?\\*[\"']?(?P<jar>[^\s=;\"'\\]+=[^\"'\r\n\\]*)")
COOKIE = re.compile(r"(?P<name>[^\s=;,]+)=(?P<s>[^\s;,]+)")

_PHONE_CN = r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
PERSONAL: tuple[Rule, ...] = (
    _rule("id_number", r"(?<![A-Za-z0-9_.-])(?P<s>[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx])(?![A-Za-z0-9_-])", _id_number),
    _rule("card", r"(?<![A-Za-z0-9_.-])(?P<s>(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|[245]\d\d))(?:(?P<g>[ -])?\d{4}(?:(?P=g)\d{4}){2}|\d{12}(?:\d{3})?)|3[47]\d\d(?:[ -]?\d{6}[ -]?\d{5}))(?![A-Za-z0-9_-]|\.\d)", _luhn),
    _rule("phone", rf"(?<![A-Za-z0-9_.-])(?:\+?86[ -]?)?(?P<s>{_PHONE_CN}(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}}))(?![A-Za-z0-9_-]|\.\d|\s?(?:bytes|[KMG]?i?B\b|[mun]?s\b|kB))", _phone),
    _rule("email", r"(?<![A-Za-z0-9_.+/-])(?P<s>(?P<local>[A-Za-z0-9][\w.+-]{0,63})@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})(?![A-Za-z0-9_@-]|\.\w|:/)", _email),
)  # fmt: skip

# Literals, in lower case, of which one occurs in every text that a rule above could change …
_KEYS = ("api", "access", "secret", "private", "signing", "encryption", "auth")
GATES = (
    "passw", "passphrase", "passcode", "pass", "pwd", "secret", "token", "authorization", "credential", "otp", "bearer",
    "identified", "cookie", "pincode", "pin_code", "masterauth", "@", *(f"{name}{gap}key" for name in _KEYS for gap in ("", " ", "_", "-")),
    "eyj", "sk-", "akia", "asia", "agpa", "aida", "aroa", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat",
    "xox", "xapp-", "hooks.slack", "aiza", "ya29", "hf_", "hf-", "npm_", "npm-", "dop_", "doo_", "shpat", "shpss", "lin_api",
    "r8_", "r8-", "gsk_", "gsk-", "nvapi", "pplx-", "pplx_", "xai-", "xai_", "sk_", "rk_", "pk_", "whsec_", "sg.", "pypi-",
    "ltai", "akid", ":aa", "%3aaa", "密码", "口令", "密钥", "令牌", "u5bc6", "u53e3", "u4ee4",
)  # fmt: skip
# … and a coarser form of the rules that Rust's engine runs, without colours, on what the literals leave.
COARSE = (
    r"(?i)(?:pass[a-z]*|pwd|secret[a-z]*(?:[_-]?id)?|token|key(?:[_-]?id)?|credentials?|requirepass|masterauth|otp|authorization|cookie|code"
    r"|密码|口令|密钥|令牌|\\+u5bc6\\+u7801|\\+u53e3\\+u4ee4|\\+u5bc6\\+u94a5|\\+u4ee4\\+u724c)\\*[\"']?\s*(?:[:=：]|=>|,\s*b?\\*[\"'])"
    r"|(?:password|passwd|pass|identified\s+by|requirepass|masterauth)\s+\\?['\"]|(?:requirepass|masterauth)\s"
    r"|-(?:password|passwd|pass|secret|token|api-key|requirepass|masterauth)\s|api[ _]key|bearer\s+[0-9a-z_.~+/=-]{8}"
    r"|://[^\s/]*:[^\s/]+@|[\w.+-]@[0-9a-z-]+\.[0-9a-z-]|private key|eyj[0-9a-z_-]{8}|(?-u:\b)sk-[0-9a-z_*-]{8}"
    r"|(?-u:\b)(?:akia|asia|agpa|aida|aroa)[0-9a-z]{8}|(?-u:\b)gh[pousr]_[0-9a-z]{8}|github_pat_|glpat-|(?-u:\b)xox[a-z]-|xapp-[0-9]"
    r"|hooks\.slack|aiza[0-9a-z_-]{8}|ya29\.|(?-u:\b)(?:hf|npm|dop_v1|doo_v1|shpat|shpss|lin_api|r8|gsk|nvapi|pplx|xai)[_-][0-9a-z_-]{8}"
    r"|(?-u:\b)(?:sk|rk|pk|whsec)_[0-9a-z_]{8}|sg\.[0-9a-z_-]{8}|pypi-age|(?-u:\b)ltai[0-9a-z]{8}|(?-u:\b)akid[0-9a-z]{8}|[0-9]{8}(?::|%3a)aa"
)
# The borders matter most: run times, sizes and ids are full of digits.
COARSE_DIGITS = (
    r"(?:^|[^0-9A-Za-z_.-]|\x1b\[[0-9;]*m)(?:\+?86[ -]?)?(?:1[3-9][0-9]{9}|1[3-9][0-9][ -][0-9]{4}[ -][0-9]{4}|[2-6][0-9]{14}"
    r"|[1-9][0-9]{16}[0-9Xx]|[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|3[47][0-9][0-9][ -][0-9]{6}[ -][0-9]{5})"
)
