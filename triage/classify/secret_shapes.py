"""Secrets that tell by their own shape, whatever stands around them: one row a format of a token."""

from __future__ import annotations

import re

from triage.classify.secret_rules import EDGE, Accept, Rule, quick

_COUNT = re.compile(r"\{(\d+)(?:,\d*)?\}")
_END = r"(?![A-Za-z0-9])"
_EDGE = re.compile(EDGE)


def _shape(kind: str, body: str, accept: Accept = lambda match: True) -> Rule:
    # Eight characters of a run are enough there, and keep the automaton small.
    coarse = _COUNT.sub(lambda m: "{8,}" if int(m[1]) > 8 else m[0], body.removesuffix(_END)).removesuffix("{8,}")
    coarse += "{8}" if coarse.endswith("]") else ""
    # Without an edge in front the search can jump to the literal that the body begins with.
    return Rule(kind, (), quick(coarse), re.compile(f"(?P<s>{body})"), lambda m: _begins(m) and accept(m))


def _begins(match: re.Match[str]) -> bool:
    return _EDGE.match(match.string, match.start()) is not None


def _digit(match: re.Match[str]) -> bool:
    return any(c.isdigit() for c in match["s"])


SHAPES: tuple[Rule, ...] = (
    _shape("jwt", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    # Providers of models
    _shape("api_key", r"sk-[A-Za-z0-9_*-]{16,}", _digit),
    _shape("api_key", r"(?:hf|gsk|nvapi|pplx|xai|r8|rpa|csk|fw)[_-][A-Za-z0-9_-]{28,}", _digit),
    # Clouds
    _shape("api_key", r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}" + _END),
    _shape("token", r"(?:IQoJb3JpZ|FwoGZXIvYXdz)[A-Za-z0-9+/=%]{40,}"),
    _shape("api_key", r"AIza[A-Za-z0-9_-]{35}"),
    _shape("token", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _shape("token", r"1(?://|%2[Ff]%2[Ff])0[A-Za-z0-9_-]{30,}"),
    _shape("secret", r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    _shape("secret", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    _shape("api_key", r"LTAI[A-Za-z0-9]{12,24}" + _END),
    _shape("api_key", r"AKID[A-Za-z0-9]{13,40}" + _END),
    _shape("token", r"do[opr]_v1_[a-f0-9]{40,}"),
    # Code, packages, delivery
    _shape("token", r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    _shape("token", r"github_pat_[A-Za-z0-9_]{20,255}"),
    _shape("token", r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|oas|agent|imt|ffct)-[A-Za-z0-9_.-]{20,}"),
    _shape("token", r"npm[_-][A-Za-z0-9]{28,}", _digit),
    _shape("token", r"pypi-AgE[A-Za-z0-9_-]{20,}"),
    _shape("token", r"dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    _shape("token", r"(?:[A-Za-z0-9]{14}\.)?atlasv1\.[A-Za-z0-9_=-]{40,}"),
    _shape("token", r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    _shape("token", r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{30,}"),
    _shape("token", r"dapi[a-f0-9]{32}(?:-\d)?" + _END),
    _shape("private_key", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    # Chats and mail
    _shape("token", r"xox[abceoprs][.-](?:xox[a-z]-)?[A-Za-z0-9-]{10,}"),
    _shape("token", r"xapp-\d-[A-Za-z0-9-]{10,}"),
    _shape("token", r"(?:bot)?\d{8,10}(?::|%3[Aa])AA[A-Za-z0-9_-]{33}"),
    _shape("api_key", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _shape("api_key", r"key-[a-f0-9]{32}" + _END),
    _shape("api_key", r"SK[a-f0-9]{32}" + _END),
    _shape("api_key", r"[a-f0-9]{32}-us\d{1,2}" + _END),
    _shape("api_key", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    # Money and shops
    _shape("api_key", r"(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}", _digit),
    _shape("api_key", r"shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}"),
    _shape("api_key", r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    _shape("token", r"EAA[A-Za-z0-9_-]{57,}", _digit),
    # Watching and planning
    _shape("token", r"gl(?:c|sa)_[A-Za-z0-9_=+/-]{32,}"),
    _shape("api_key", r"NR(?:AK|II|JS)-[A-Za-z0-9_-]{19,}"),
    _shape("token", r"sntry[su]_[A-Za-z0-9_=+/-]{40,}"),
    _shape("token", r"ATATT3[A-Za-z0-9_=-]{40,}"),
    _shape("api_key", r"lin_api_[A-Za-z0-9]{28,}"),
    _shape("token", r"(?:secret|ntn)_[A-Za-z0-9]{40,}", _digit),
    # Hashes of passwords
    _shape("password", r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{50,53}"),
    _shape("password", r"\$(?:apr1|1|5|6|y)\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,22}\$[./A-Za-z0-9]{20,}"),
    _shape("password", r"\$argon2(?:id|i|d)\$[^\s\"'\\]{20,}"),
    _shape("password", r"(?:pbkdf2(?:[_:]sha\d+)?|scrypt)(?:[:$]\d+)+\$[A-Za-z0-9./+=]{4,}\$[A-Za-z0-9./+=]{20,}"),
    _shape("password", r"SCRAM-SHA-\d+\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"),
)  # fmt: skip
