"""Secrets that tell by their own shape, whatever stands around them: one row a format of a token."""

from __future__ import annotations

import re

from triage.classify.secret_rules import EDGE, Accept, Rule, quick

_COUNT = re.compile(r"\{(\d+)(?:,\d*)?\}")
_END = r"(?![A-Za-z0-9])"


def _shape(kind: str, starts: str, body: str, accept: Accept = lambda match: True, reach: int = 0) -> Rule:
    # Eight characters of a run are enough there, and keep the automaton small.
    coarse = _COUNT.sub(lambda m: "{8,}" if int(m[1]) > 8 else m[0], body.removesuffix(_END)).removesuffix("{8,}")
    coarse += "{8}" if coarse.endswith("]") else ""
    begins = tuple(starts.split("|"))
    return Rule(kind, (), quick(coarse), re.compile(f"{EDGE}(?P<s>{body})"), accept, None, begins, reach)


def _digit(match: re.Match[str]) -> bool:
    return any(c.isdigit() for c in match["s"])


SHAPES: tuple[Rule, ...] = (
    _shape("jwt", "eyj", r"eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    # Providers of models
    _shape("api_key", "sk-", r"sk-[A-Za-z0-9_*-]{16,}", _digit),
    _shape("api_key", "hf_|hf-|gsk_|gsk-|nvapi_|nvapi-|pplx_|pplx-|xai_|xai-|r8_|r8-|rpa_|rpa-|csk_|csk-|fw_|fw-|tvly-|jina_|lsv2_|absk", r"(?:(?:hf|gsk|nvapi|pplx|xai|r8|rpa|csk|fw|tvly|jina)[_-]|lsv2_(?:pt|sk)_|ABSK)[A-Za-z0-9_-]{28,}", _digit),
    # Clouds
    _shape("api_key", "akia|asia|agpa|aida|aroa|anpa", r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}" + _END),
    _shape("token", "iqojb3jpz|fwogzxivyxdz", r"(?:IQoJb3JpZ|FwoGZXIvYXdz)[A-Za-z0-9+/=%]{40,}"),
    _shape("api_key", "aiza", r"AIza[A-Za-z0-9_-]{35}"),
    _shape("token", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _shape("token", "1//0|1%2f%2f0", r"1(?://|%2[Ff]%2[Ff])0[A-Za-z0-9_-]{30,}"),
    _shape("secret", "gocspx-", r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    _shape("secret", "q~", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}", reach=4),
    _shape("api_key", "ltai", r"LTAI[A-Za-z0-9]{12,24}" + _END),
    _shape("api_key", "aklt|altak-", r"(?:AKLT|ALTAK-)[A-Za-z0-9]{20,60}" + _END),
    _shape("api_key", "akid", r"AKID[A-Za-z0-9]{13,40}" + _END),
    _shape("token", "doo_v1_|dop_v1_|dor_v1_", r"do[opr]_v1_[a-f0-9]{40,}"),
    # Code, packages, delivery
    _shape("token", "ghp_|gho_|ghu_|ghs_|ghr_", r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    _shape("token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,255}"),
    _shape("token", "glpat-|gldt-|glrt-|glcbt-|glptt-|glft-|glsoat-|gloas-|glagent-|glimt-|glffct-", r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|oas|agent|imt|ffct)-[A-Za-z0-9_.-]{20,}"),
    _shape("token", "npm_|npm-", r"npm[_-][A-Za-z0-9]{28,}", _digit),
    _shape("token", "pypi-age", r"pypi-AgE[A-Za-z0-9_-]{20,}"),
    _shape("token", "dckr_pat_|dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    _shape("token", "atlasv1.", r"(?:[A-Za-z0-9]{14}\.)?atlasv1\.[A-Za-z0-9_=-]{40,}", reach=15),
    _shape("token", "hvs.|hvb.|hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    _shape("token", "dp.pt.|dp.st.|dp.ct.|dp.sa.", r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{30,}"),
    _shape("token", "figd_|figo_|sbp_|pul-|rnd_|napi_|dt0c01.|tskey-|pmak-", r"(?:fig[do]_[A-Za-z0-9_-]{36,}|sbp_[a-f0-9]{40}|pul-[a-f0-9]{40}|rnd_[A-Za-z0-9]{28,}|napi_[a-z0-9]{40,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{40,}|tskey-[a-z]{3,9}-[A-Za-z0-9-]{20,}|PMAK-[a-f0-9]{24}-[a-f0-9]{34})", _digit),
    _shape("token", "dapi", r"dapi[a-f0-9]{32}(?:-\d)?" + _END),
    # A key that is encoded as a whole, as in Kubernetes' secrets and kubeconfigs
    _shape("private_key", "ls0tls1crudjti", r"LS0tLS1CRUdJTi(?:BSU0EgUFJJVkFUR|BQUklWQVRFIE|BFQyBQUklWQVRF|BPUEVOU1NI|BFTkNSWVBURUQgUF)[A-Za-z0-9+/=]{20,}"),
    _shape("private_key", "age-secret-key-1", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    # Chats and mail
    _shape("token", "xox", r"xox[abceoprs][.-](?:xox[a-z]-)?[A-Za-z0-9-]{10,}"),
    _shape("token", "xapp-", r"xapp-\d-[A-Za-z0-9-]{10,}"),
    _shape("token", ":aa|%3aaa", r"(?:bot)?\d{8,10}(?::|%3[Aa])AA[A-Za-z0-9_-]{33}", reach=13),
    _shape("api_key", "sg.", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _shape("api_key", "key-", r"key-[a-f0-9]{32}" + _END),
    _shape("api_key", "sk", r"SK[a-f0-9]{32}" + _END),
    _shape("api_key", "-us", r"[a-f0-9]{32}-us\d{1,2}" + _END, reach=32),
    _shape("api_key", "xkeysib-", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    # Money and shops
    _shape("api_key", "sk_|rk_|pk_|whsec_", r"(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}", _digit),
    _shape("api_key", "shpat_|shpss_|shpca_|shppa_", r"shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}"),
    _shape("api_key", "sq0", r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    _shape("token", "eaa", r"EAA[A-Za-z0-9_-]{57,}", _digit),
    # Watching and planning
    _shape("token", "glc_|glsa_", r"gl(?:c|sa)_[A-Za-z0-9_=+/-]{32,}"),
    _shape("api_key", "nrak-|nrii-|nrjs-", r"NR(?:AK|II|JS)-[A-Za-z0-9_-]{19,}"),
    _shape("token", "sntrys_|sntryu_", r"sntry[su]_[A-Za-z0-9_=+/-]{40,}"),
    _shape("token", "atatt3", r"ATATT3[A-Za-z0-9_=-]{40,}"),
    _shape("api_key", "lin_api_", r"lin_api_[A-Za-z0-9]{28,}"),
    _shape("token", "secret_|ntn_", r"(?:secret|ntn)_[A-Za-z0-9]{40,}", _digit),
    # Hashes of passwords
    _shape("password", "$2", r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{50,53}"),
    _shape("password", "$apr1$|$1$|$5$|$6$|$y$", r"\$(?:apr1|1|5|6|y)\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,22}\$[./A-Za-z0-9]{20,}"),
    _shape("password", "$argon2", r"\$argon2(?:id|i|d)\$[^\s\"'\\]{20,}"),
    _shape("password", "pbkdf2|scrypt", r"(?:pbkdf2(?:[_:]sha\d+)?|scrypt)(?:[:$]\d+)+\$[A-Za-z0-9./+=]{4,}\$[A-Za-z0-9./+=]{20,}"),
    _shape("password", "scram-sha-", r"SCRAM-SHA-\d+\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"),
)  # fmt: skip
