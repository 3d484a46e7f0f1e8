"""Secrets that only their name tells: `password=…`, `"apiKey": "…"`, `(b'x-api-key', b'…')`, columns of a statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.classify.own_kinds import MARK
from triage.classify.places import Text, matches
from triage.classify.secret_rules import FOREIGN, beginnings, either, escaped
from triage.classify.secret_values import dense, is_value, looks_random, opaque

_KEYS = (
    "api", "access", "secret", "private", "signing", "encryption", "auth", "account", "subscription", "fernet", "hmac",
    "master", "license", "consumer", "storage", "deploy", "webhook", "encrypt", "crypto", "cipher", "aes", "jwt",
)  # fmt: skip
_SURE = (
    rf"password|passwd|passphrase|passwort|passcode|pwd|pass|secret|token|(?:{'|'.join(_KEYS)})[_ -]?key(?:[_-]?id)?"
    r"|secret[_-]?(?:access[_-]?)?key|credentials?|secret[_-]?id|app[_-]?secret|client[_-]?secret|requirepass|masterauth|rediscli_auth"
    r"|otp|(?:password|secret|hash)[_-]?salt|(?:password|secret)[_-]?hash|key[_-]?secret|key[_-]data|erlang[_-]?cookie|docker(?:configjson|cfg)"
    rf"|{either(*FOREIGN)}"
)
# Names that may also hold an id or a path: what they hold must look like a secret itself.
_UNSURE = r"key|salt|session(?:_?id)?|phpsessid|jsessionid|connect\.sid|sid|sig|signature|auth|jwt|hmac"

_CLOSE = r"(?:\\*[\"'`])?\]?"
_SEP = r"\s*(?:=>|->|:=|[:：]|=(?!>)|\\+uff1a)\s*|\s*(?<=[\"']),\s*(?=b?\\*[\"'])"
_WRAPPER = r"(?:(?:Some|Secret\w*|bytes|bytearray)\(|\{\s*\\*[\"'](?:value|raw|plain|data)\\*[\"']\s*:\s*)?"
# What may stand in a value without quotes: a quote or separator only where the value visibly goes on behind it.
_BARE = r"(?:[^\s\"'&,;\\，。；、）]+|[\"'](?=[\w!@#$%^*+~./-])|[,;](?![\s\"']|[\w.-]+\s*[=:]|$)|&(?!(?:amp;)?[\w.\[\]-]+=|\s|$))"
# From the word on that tells: what stands of the name in front of it is looked at behind.
_BY_WORD = re.compile(
    rf"(?i)(?P<word>{_SURE}|(?P<unsure>{_UNSURE})){_CLOSE}"
    rf"(?P<sep>{_SEP}){_WRAPPER}b?(?P<quote>\\*[\"'`])?"
    r"(?:(?<=[\"'`])(?P<quoted>(?:(?!(?P=quote))(?:\\.|.)){1,4096})(?=(?P=quote))"
    rf"|(?P<bare>{_BARE}{{1,4096}}))"
)
# The same as far as its separator, for lower case: an engine that need not ask for capitals is quicker to say no.
_TELLS = re.compile(rf"(?:{_SURE}|{_UNSURE}){_CLOSE}(?:\s*(?:[-=:：]|\\+uff1a)|\s*,)")
_WORDS = (
    "pass", "pwd", "secret", "token", "credential", "otp", "masterauth", "rediscli_auth", "salt", "sess", "sid", "sig", "auth", "key", "hash",
    "erlang", "dockerc", *_KEYS, *beginnings(*FOREIGN),
)  # fmt: skip
# The rest of a name, from its end to its beginning, which must be one of a word.
_NAME_BEFORE = re.compile(r"[A-Za-z0-9]{0,24}(?![A-Za-z0-9])(?:[_.-][A-Za-z0-9]{1,40}(?![A-Za-z0-9]))*")
_NAME_LENGTH = 64  # of what is looked at of it
_LOOKED_AGAIN = 256  # characters of a value, or a line of nothing but names would be read that often
GATES = (
    "pass", "pwd", "secret", "token", "credential", "otp", "masterauth", "rediscli_auth", "salt", "sess", "sid=", "sid\"", "sid'", "sig=",
    "signature", "auth=", "auth\"", "auth'", "auth\\", "key", "jwt=", "jwt\"", "jwt'", "hmac", "erlang", "dockerc", *escaped(*FOREIGN),
)  # fmt: skip
COARSE_SURE = (
    rf"pass[a-z]*|pwd|secret[a-z]*(?:[_-]?id)?|token|(?:{'|'.join(_KEYS)})[_ -]?key(?:[_-]?id)?|credentials?|masterauth|rediscli_auth|otp"
    rf"|salt|hash|key[_-]data|erlang_?cookie|docker(?:configjson|cfg)|{either(*FOREIGN)}"
)
_COARSE_SEP = r"\\*[\"'`]?\]?\s*(?:[:=：]|\\+uff1a|=>|->|,\s*b?\\*[\"'])"
COARSE = (
    rf"(?:{COARSE_SURE}){_COARSE_SEP}"
    rf"|(?:key|sess[a-z]*(?:_id)?|sid|sig|signature|auth|jwt|hmac){_COARSE_SEP}\s*[a-z(]*\\*[\"'`]?[0-9a-z+/_~.%=-]{{16}}"
)

# INSERT INTO t (a, password) VALUES (…, '…'); Key (user_id, token)=(…, …) already exists.
_STRING = r"'[^']*(?:''[^']*){0,999}'(?!')"  # in one way only, or the engine tries them all
POSITIONAL = re.compile(
    rf"(?i)\((?P<names>[\w\s\",.`\[\]\\]{{3,2000}})\)(?:=|\s*values\s*)\((?P<values>(?:{_STRING}|\([^()']*\)|[^()']){{1,8192}})\)"
)
POSITIONAL_GATES = (")=(", "values")
POSITIONAL_COARSE = rf"(?:{COARSE_SURE})[\w\s\",.`\[\]\\]*\)(?:=|\s*values\s*)\("
_ITEM = re.compile(rf"\s*(?P<value>'(?P<text>[^']*(?:''[^']*){{0,999}})'(?!')|(?:[^,'()]|\([^()]*\)|{_STRING})*)\s*(?:,|$)")
_COLUMN = re.compile(rf"(?i)(?:\w+_)?(?:{_SURE})")


def by_name(text: Text) -> Iterator[re.Match[str]]:
    """Each word that tells of a value behind it, with that."""
    tells, low = _TELLS.match, text.low
    return matches(text.text, _BY_WORD, [place for place in text.places(_WORDS) if tells(low, place)], fits=_tells_all)


# A working directory, and words that end like a name of a secret.
_FOLDER = re.compile(r"/[\w./-]*|[A-Za-z]:[\\/].*")
_OTHER_WORDS = re.compile(r"(?:com|by|encom|tres|sur|over|under)pass")
# Code: `token = get_token(user)`, `key=config["SECRET_KEY"]`.
_CODE = re.compile(r"[a-z_][a-z_.]*(?:\((?!\\*[\"'])|\[(?:\\*[\"']|$))")
_KEY_BEHIND = re.compile(r"\\*[\"']\s*:")


def value_of(match: re.Match[str]) -> tuple[int, int]:
    """Where the value begins and ends: brackets behind a bare one close what stands around the name."""
    if match["quoted"] is not None:
        return match.span("quoted")
    start, bare = match.start("bare"), match["bare"]
    length = max(1, len(bare.rstrip(")]}>")))
    opened = bare.rfind("[redacted:", 0, length)
    return start, start + length + (opened >= 0 and "]" not in bare[opened:length])  # a mark keeps its own


def name_of(match: re.Match[str]) -> str:
    """The whole name that ends with the word of a match."""
    return (_before(match) or "") + match["word"]


def _tells_all(match: re.Match[str]) -> bool:
    """Whether what stands behind a name needs no second look: what is no secret may itself hold a name and one."""
    if not _is_named(match):
        return False
    start, end = value_of(match)
    return end - start > _LOOKED_AGAIN or is_secret(match, name_of(match), match.string[start:end])


def _is_named(match: re.Match[str]) -> bool:
    """Whether a word begins or ends a name, which is none of a mark."""
    before = _before(match)
    return before is not None and not match.string.endswith("[redacted:", 0, match.start() - len(before))


def _before(match: re.Match[str]) -> str | None:
    """What stands of a name in front of a word; None if the word is amid something else."""
    start = match.start()
    behind = _NAME_BEFORE.match(match.string[max(0, start - _NAME_LENGTH) : start][::-1])
    return behind[0][::-1] if behind else None


def kind_of(name: str) -> str:
    """What is said of a secret in its mark."""
    low = name.lower()
    return "token" if low.endswith(("token", "令牌")) else "password" if "pass" in low or "pwd" in low else "secret"


def is_secret(match: re.Match[str], name: str, value: str) -> bool:
    """Whether the value behind a telling name is one, and not a word about it."""
    name = name.lower()
    if "[redacted:" in value:
        value = MARK.sub("", value)  # what is left of it counts
    if not is_value(value):
        return False
    if "," in match["sep"] and _KEY_BEHIND.match(match.string, value_of(match)[1]):
        return False  # `"name": "PASSWORD", "value": …`: what follows is another name
    if match["unsure"]:
        return dense(value) if match["unsure"].lower() in ("key", "salt") else len(value) >= 16 and opaque(value)
    if (name in ("pwd", "oldpwd") and _FOLDER.fullmatch(value)) or _OTHER_WORDS.fullmatch(name):
        return False
    if match["quoted"] is None and (_CODE.match(value) or (value[0] in "{[" and value[1:2] in "\"'\\")):
        return False  # what a program computes, or more than one value
    strong = "pass" in name or "pwd" in name
    if not strong and value.isdigit() and len(value) < 12:
        return False  # max_token=4096
    if name.split("_")[-1].split("-")[-1] == "pass" and value.isdigit():
        return False  # pass=12 fail=0
    if not match["quote"] and match["sep"].strip() in (":", "：") and not value[0].isascii() and not any(c.isdigit() for c in value):
        return False  # a sentence
    bare = not match["quote"] and match["sep"].strip() == ":" and match["sep"] != ":"
    if bare and name_of(match) == "PASS":
        return False  # PASS: TestLogin2 (0.01s)
    return not bare or looks_random(value) or (strong and len(value) >= 4 and not value.isalpha())


def _columns(names: str) -> list[str]:
    return [name.strip(' "`[]\\\n').rpartition(".")[2] for name in names.split(",")]


def secret_columns(names: str) -> list[int]:
    """The places of the columns, from 0 on, whose name tells that they hold a secret."""
    return [place for place, name in enumerate(_columns(names)) if _COLUMN.fullmatch(name.replace('"', ""))]


def positions(match: re.Match[str]) -> list[tuple[int, int, str]]:
    """Start and end within a POSITIONAL match, and the name, of each value whose column tells that it is a secret."""
    columns = _columns(match["names"])
    shift, values, at = match.start("values") - match.start(), match["values"], 0
    found = []
    for column in columns:
        item = _ITEM.match(values, at)
        if item is None or at >= len(values):
            break
        at = item.end()
        group = "text" if item["text"] is not None else "value"
        start, end = item.span(group)
        if _COLUMN.fullmatch(column.replace('"', "")) and is_value(values[start:end].strip()) and end > start:
            found.append((shift + start, shift + end, column))
    return found
