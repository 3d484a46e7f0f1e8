"""What a secret looks like by the syntax around it: headers, addresses, SQL, commands, key blocks, jars of cookies.

Tables only; `redact.py` applies them. Each rule brings its own gates, so that a text which it cannot change costs one
pass over literals.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from triage.classify.secret_values import is_value, looks_random, opaque

Accept = Callable[[re.Match[str]], bool]

# Where a word may begin: also behind an escape (`\n`, `\u003d`, `%3D`), whose last character is a letter; and the same
# as Rust's engine can say it.
EDGE = (
    r"(?:(?<![A-Za-z0-9_])|(?<=\\[abfnrtv])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2}))"
)
NAME_EDGE = EDGE.replace("0-9_]", "0-9]", 1)
BEFORE = (
    r"(?:^|[^0-9a-z_]|(?:\x1b|\\u001b|\\x1b|\\033)\[[0-9;]*m|\\[abfnrtv]|%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2})"
)
QUOTE = r"\\*[\"']"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to see a secret: the group `s` of `regex`, or with `inner` that group of each match within it.

    `gates` are literals in lower case of which one occurs in every text that the rule may change; `coarse` is the rule
    in the dialect of Rust's engine, for text in lower case, and finds at least what `regex` does. Without gates it is
    looked for everywhere behind an edge, all such rules in one pass. What matches begins with one of the literals
    `starts`, or `reach` characters in front of it at most. `accept` judges what a regex cannot, and `stands` whether
    it stands where it may: else something else may begin within.
    """

    kind: str
    gates: tuple[str, ...]
    coarse: str
    regex: re.Pattern[str]
    accept: Accept = lambda match: True
    inner: re.Pattern[str] | None = None
    starts: tuple[str, ...] = ()
    reach: int = 0
    stands: Accept = lambda match: True


def rule(
    kind: str, gates: str, coarse: str, regex: str, accept: Accept = lambda match: True, *, inner: str | None = None,
    starts: str = "", reach: int = 0,
) -> Rule:  # fmt: skip
    """A rule from texts: gates are separated by bars, and so are starts, which are the gates if nothing else is said."""
    # A word of Chinese in front of a secret is no part of it, though \b takes its characters for letters.
    compiled = re.compile(regex.replace(r"(?i)\b", f"(?i){EDGE}").replace(r"\b", r"(?a:\b)"))
    literals, begins = (tuple(filter(None, text.split("|"))) for text in (gates, starts or gates))
    return Rule(kind, literals, quick(coarse), compiled, accept, re.compile(inner) if inner else None, begins, reach)


def either(*words: str) -> str:
    """A regex of words of other languages, also as JSON escapes them."""
    return "(?:" + "|".join(dict.fromkeys((*words, *("".join(c if c.isascii() else rf"\\+u{ord(c):04x}" for c in word) for word in words)))) + ")"


def beginnings(*words: str) -> tuple[str, ...]:
    """Literals with one of which such words begin."""
    return tuple(dict.fromkeys((*words, *(_plain_head(word) or rf"\u{ord(word[0]):04x}" for word in words))))


def escaped(*words: str) -> tuple[str, ...]:
    """Literals that tell of such words: themselves, and their first characters as JSON escapes them."""
    return tuple(dict.fromkeys((*words, *(_plain_head(word) or f"u{ord(word[0]):04x}" for word in words))))


def _plain_head(word: str) -> str:
    """What a word begins with that JSON need not escape."""
    return word[: next((n for n, c in enumerate(word) if not c.isascii()), None)]


def quick(coarse: str) -> str:
    """A coarse regex as Rust's engine is quick with: for text in lower case, with the characters of ASCII only."""
    # Classes of Unicode make its automaton so large that it gives up, and then it is a hundred times slower.
    coarse = coarse.replace(r"\S", r"[^\s]").replace(r"\b", r"(?-u:\b)")
    for short, long in ((r"\w", "0-9a-z_"), (r"\d", "0-9")):
        inside = re.sub(rf"\[[^\]]*{re.escape(short)}[^\]]*\]", lambda m: m[0].replace(short, long), coarse)  # noqa: B023
        coarse = inside.replace(short, f"[{long}]")
    return coarse.lower()


def holds_value(match: re.Match[str]) -> bool:
    return is_value(match["s"])


def holds_random(match: re.Match[str]) -> bool:
    return is_value(match["s"]) and looks_random(match["s"])


def _credentials(match: re.Match[str]) -> bool:
    """What base64 makes of a name, a colon and a password."""
    try:
        return ":" in base64.b64decode(match["s"], validate=True).decode()
    except ValueError:
        return False


def _opaque(match: re.Match[str]) -> bool:
    return opaque(match["s"])


def _quoted_name(match: re.Match[str]) -> bool:
    """What follows a name that is alone between quotes."""
    before = match.string[max(0, match.start() - 65) : match.start()]
    return re.fullmatch(r"[\w.:-]*", before[before.rfind('"') + 1 :]) is not None and '"' in before and holds_value(match)


def _telling(match: re.Match[str]) -> bool:
    """A secret that stands in prose behind `password is`: no plain word."""
    return holds_random(match) and any(not c.isalpha() for c in match["s"].rstrip(".,;:!?"))


# What the name of a field ends with that holds a secret, for rules that give it a place.
FIELD_STARTS = "password|passwd|pwd|secret|token|api|access|private|encryption|credential"
FIELD = r"(?:password|passwd|pwd|secret|token|(?:api|access|private|secret|encryption)[_-]?key|credentials?)"
COARSE_FIELD = r"(?:passw[a-z]*|pwd|secret|token|key|credentials?)"
_SERVER = r"(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|rediss?|amqps?|mongodb|clickhouse|smtps?|ldaps?)(?:\+\w{1,20})?"
_AUTHORIZATION = rf"(?i){NAME_EDGE}authorization(?:{QUOTE})?\s*[:=,]\s*b?(?:{QUOTE})?"
_HEADER = r"authorization"
CHINESE = ("密码", "口令", "密钥", "令牌")
FOREIGN = (*CHINESE, "ароль", "contraseña", "パスワード", "비밀번호", "mot de passe")
_LAST_NAME = re.compile(rf"(?i)(?:password|passwd|pwd|secret|token|api_?key){QUOTE},?$")
_CODES = ("验证码", "校验码", "动态码")

# The order matters: what stands in a header or a key block is gone before names and shapes are looked for.
RULES: tuple[Rule, ...] = (
    rule("private_key", "private", "private key", r"(?s)(?P<s>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z))", starts="-----begin "),

    # Headers
    rule("authorization", "authorization", _HEADER, _AUTHORIZATION + r"(?:digest|aws4-hmac-sha256|oauth|hmac\S*)\s+(?P<s>(?:[\w-]+=(?:\\*\"[^\"\\\r\n]*\\*\"|[^\s,\"'\\]+)(?:,\s*)?)+)"),
    rule("authorization", "authorization", _HEADER, _AUTHORIZATION + r"(?:digest|aws4-hmac-sha256|oauth|hmac\S*)\s+(?P<s>[^\"'\r\n]{8,})"),
    rule("authorization", "authorization", _HEADER, _AUTHORIZATION + r"(?:(?:bearer|basic|token|apikey|negotiate|ntlm|bot|key|jwt)\s+)(?P<s>[^\s\"',;\\)\]}]+)", holds_value),
    rule("authorization", "authorization", _HEADER, _AUTHORIZATION + r"(?P<s>[^\s\"',;\\)\]}]{8,})", holds_random),
    rule("authorization", "authorization%3a", "authorization%3a", r"(?i)\bauthorization%3A(?:%20|\+)*(?:bearer|basic|token)(?:%20|\+)+(?P<s>[^\s&\"'%<>\\]{8,})"),
    rule("authorization", "bearer", r"bearer\s+[0-9a-z_.~+/=-]{8}", r"(?i)\bbearer\s+(?P<s>[A-Za-z0-9._~+/=-]{12,})", lambda m: any(c.isdigit() for c in m["s"])),
    rule("authorization", "basic ", r"basic\s+[0-9a-z+/]{8}", r"(?i)\bbasic\s+(?P<s>[A-Za-z0-9+/]{8,4096}={0,2})(?![A-Za-z0-9+/=])", _credentials),
    # A pair of a client: `auth=('bob', '…')`, `HTTPBasicAuth('bob', '…')`, `oss2.Auth('…', '…')`.
    rule("password", "auth=|auth(", r"auth(?:=\s*)?\(\s*b?\\*[\"']", rf"(?:(?i:{EDGE}auth=\s*)|Auth)\(\s*b?(?:{QUOTE})[^\"']{{0,256}}(?:{QUOTE})\s*,\s*b?(?:{QUOTE})(?P<s>[^\"'\\]+)", holds_value),

    # Cookies
    rule("cookie", "set-cookie|set_cookie", "set.cookie", rf"(?i){NAME_EDGE}set[-_]cookie(?:{QUOTE})?\s*[:=,]\s*b?(?:{QUOTE})?[^\s=;\"'\\]+=(?P<s>[^\s;,\"'\\]+)"),
    rule("cookie", "cookie", "cookie", rf"(?i){NAME_EDGE}(?<!set-)(?<!set_)cookie(?:{QUOTE})?\s*[:=,]\s*b?(?:{QUOTE})?(?P<s>[^\s=;\"'\\]+=[^\"'\r\n\\]*)", inner=r"[^\s=;,]+=(?P<s>[^\s;,]+)"),
    rule("cookie", "cookie", "cookie", rf"(?i){NAME_EDGE}cookies?(?:{QUOTE})?\s*[:=]\s*(?P<s>\{{[^{{}}]{{1,4096}}\}})", inner=r":\s*b?\\*[\"'](?P<s>[^\"'\\]+)"),
    rule("cookie", "cookie", "cookie", r"(?i)<cookie \w+=(?P<s>\S+) for ", starts="<cookie "),

    # Addresses. A password with signs that end an address elsewhere: what follows the last @ is a server and its path.
    rule("password", "@", r"://[^\s/@]*:[^\s@]+@[^\s@]+@", rf"(?i)\b{_SERVER}://[^\s:/@\"'<>\[]{{0,256}}:(?P<s>(?:(?!://)[^\s\"'<>,;|?]){{1,512}})@(?=[\w.-]{{1,253}}(?::\d{{1,5}})?(?:/[^@]|[\s\"'<>,;)\]?]|/?$))", lambda m: "@" in m["s"] and holds_value(m), starts="://", reach=31),
    rule("password", "@", r"://[^\s/@]*:\S+@", r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"'<>\[]{0,256}:(?P<s>[^\s/\"'<>]{1,512})@(?=[\w.\[(*/-])", holds_value, starts="://", reach=31),
    # The same with characters that an address must not have but passwords do; `:8080/` is a port.
    rule("password", "@", r"://[^\s/@]*:\S+@", r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"'<>\[]{0,256}:(?!\d{1,5}(?:[/?#\s\"'<>,)\]}]|$))(?P<s>[^\s\",]{1,128}?)@(?=[\w.\[(*/-])", holds_value, starts="://", reach=31),
    # And with blanks, where a server's address, with a port or a path, ends it.
    rule("password", "@", r"://[^\s/@]*:[^\s@]+(?: [^\s@]+){1,3}@", rf"(?i)\b{_SERVER}://[^\s:/@\"'<>\[]{{0,256}}:(?!\d{{1,5}} )(?P<s>[^\s/@\"'<>,]{{1,64}}(?: [^\s/@\"'<>,:]{{1,64}}){{1,3}})@(?=[\w.-]{{1,253}}(?::\d|/\w))", holds_value, starts="://", reach=31),
    rule("secret", "@", r"://[0-9a-z_-]{16,}@", r"(?i)\b[a-z][a-z0-9+.-]{1,30}://(?P<s>[A-Za-z0-9_-]{16,256})@(?=[\w.\[])", _opaque, starts="://", reach=31),
    rule("password", "@tcp(|@unix(", r"@(?:tcp|unix)\(", r"[\w.-]:(?P<s>[^\s@/\"']{1,256})@(?:tcp|unix)\(", holds_value, reach=258),
    rule("password", "jdbc:", "jdbc:oracle:", r"(?i)\bjdbc:oracle:\w+:[^\s/@]+/(?P<s>[^\s@]+)@", holds_value, starts="jdbc:oracle:"),
    rule("secret", "hook", r"hook", r"(?i)(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/\d+/|/bot/v2/hook/|/webhook/send\?key=|webhook\.office\.com/webhookb2/|hooks\.zapier\.com/hooks/catch/)(?P<s>[A-Za-z0-9/_@-]{20,})", starts="hooks.slack.com/|discord|/bot/v2/hook/|/webhook/send?key=|webhook.office.com/|hooks.zapier.com/"),
    rule("token", "/reset|-reset|/activate|/confirm|/verify|/invite", r"/(?:reset|[a-z-]*reset-|[a-z-]*-reset|activate|confirm|verify|invite)[a-z-]*/", r"(?i)/(?:(?:[a-z-]{0,20}-)?reset[a-z-]{0,20}|activate|confirm[a-z-]{0,20}|verify[a-z-]{0,20}|invite)/(?:[\w=-]{1,12}/)?(?P<s>[\w-]{20,})", _opaque, starts="/"),
    rule("token", "code=|auth=|sig=|sign=|hmac=|state=|ticket=|jsessionid=", r"[?&#;](?:code|auth|sig|sign|hmac|state|ticket|jsessionid)=\S{16}", r"(?i)[?&#;](?:code|auth|sig|sign|hmac|state|ticket|jsessionid)=(?P<s>[^\s?&#\"'<>\\)]{16,})", _opaque, reach=1),
    # What is percent-encoded as a whole: the address to go on to, or JSON in a parameter.
    rule("secret", "%3a|%3d|%253a|%253d", r"(?:pass[a-z]*|pwd|secret|token|key)(?:%(?:25)?2[27])?%(?:25)?3[ad]", r"(?i)(?:password|passwd|pwd|secret|token|api_?key)(?:%(?:25)?2[27])?(?:%(?:25)?20)*%(?:25)?3[AD](?:%(?:25)?20)*(?:%(?:25)?2[27])?(?P<s>(?:(?!%(?:25)?(?:22|26|27|2C))[^\s&\"'<>\\]){1,512})", lambda m: is_value(m["s"]) and not m["s"].isdigit(), starts="password|passwd|pwd|secret|token|api_key|apikey"),

    # SQL and other languages
    rule("password", "passw|identified", r"(?:password|identified\s+by)\s+(?:password\s+)?[ebn]?\\?['(\$]|password\s*\(", r"(?i)\b(?:password|identified\s+by(?:\s+password)?)\s*(?:\s[EBN]?|\(\s*)\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')", holds_value, starts="password|identified"),
    rule("password", "passw", r"password\s+\$", r"(?i)\bpassword\s+(?P<q>\$\w*\$)(?P<s>.{1,512}?)(?P=q)", starts="password"),
    rule("password", "identified", r"identified\s+with\s", r"(?i)\bidentified\s+with\s+\S+\s+(?:by|as)\s+\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')", holds_value),
    rule("password", "passw", r"password\s+for\s[^=]{1,80}=", r"(?i)\bpassword\s+for\s[^=\n]{1,80}=\s*\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')", holds_value, starts="password"),
    rule("password", "pgp_sym_", r"pgp_sym_[a-z_]+\([^()]*'", r"(?i)\bpgp_sym_[a-z_]{7,14}\((?:[^()',]{1,256}|\\?'(?:[^']|''){0,512}\\?'(?!')[^()',]{0,64}),\s*\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')", holds_value),
    rule("password", "crypt(", r"crypt\(\s*\\?'", r"(?i)\bcrypt\(\s*\\?'(?P<s>(?:[^']|''){1,512}?)\\?'(?!')"),
    rule("password", "passw|secret|token|key>", r"(?:password|passwd|secret|token|api[_-]?key)(?:\s[^<>]*)?>", r"(?i)<(?:\w+:)?\w*(?:password|passwd|secret|token|api[_-]?key)(?:\s[^<>]{0,200})?>(?P<s>[^<>\n]{1,512})</", holds_value, starts="<"),
    rule("password", "pass|secret", r"(?:pass|secret)[a-z]*\s*,\s*<<", r"(?i)(?:password|pass|secret)\s*,\s*<<\\*\"(?P<s>[^\"\\\n]{1,512})", holds_value, starts="pass|secret"),
    # A name and its value as two fields: `"name": "DB_PASSWORD", "value": "…"`, `<input name="password" value="…">`.
    rule("secret", "value", rf"(?:name|key)\\*[\"']?\s*[:=]\s*\\*[\"']?[\w.-]*{COARSE_FIELD}\\*[\"']?[\s,]+\\*[\"']?value", rf"(?i)\b(?:name|key)(?:{QUOTE})?\s*[:=]\s*(?:{QUOTE})?[\w.-]{{0,64}}?{FIELD}(?:{QUOTE})?(?:\s*,\s*|\s+)(?:{QUOTE})?value(?:{QUOTE})?\s*[:=]\s*(?:{QUOTE})?(?P<s>[^\s\"'\\,;<>}}]{{1,4096}})", holds_value, starts="name|key"),
    rule("secret", "name=", rf"name=\\*\"[\w.-]*{COARSE_FIELD}\\*\"\\", rf"(?i)\bname=\\*\"[\w.-]{{0,64}}?{FIELD}\\*\"(?:\\+[rn]){{2,8}}(?P<s>[^\\\r\n]{{1,512}})", holds_value),
    rule("secret", "\" \"|\\\" \\\"", rf"{COARSE_FIELD}\\*\"\s\\*\"", rf"(?i){FIELD}\\*\"\s\\*\"(?P<s>[^\"\\]{{1,512}})\\*\"", _quoted_name, starts=FIELD_STARTS),
    rule("secret", "passw|secret|token|key|pwd", rf"{COARSE_FIELD}\s*\|\s*[^\s|]{{6,}}", rf"(?i){FIELD}\s*\|\s*(?P<s>[^\s|\"\\]{{6,512}})(?=\\+n|\\*\"|\s*(?:\||$))", lambda m: holds_random(m) and not m["s"].isdigit(), starts=FIELD_STARTS),
    rule("password", "|".join(escaped(*CHINESE)), rf"{either(*CHINESE)}{either('是', '为')}", rf"{either(*CHINESE)}{either('是', '为')}\s*[:：]?\s*[\"'【「]?(?P<s>[!#-&(-\[\]-~]{{4,128}})", holds_random, starts="|".join(beginnings(*CHINESE))),
    # A validation error names the field first and gives its value later.
    rule("password", "loc\"|loc'|loc\\", r"loc\\*[\"']\s*:\s*[\[(]", rf"(?i){QUOTE}loc{QUOTE}\s*:\s*[\[(](?P<names>[^\])]{{0,240}})(?<=[\"',])[\])][^{{}}]{{0,400}}?{QUOTE}input{QUOTE}\s*:\s*{QUOTE}(?P<s>(?:[^\"'\\]|\\(?![\"'])){{1,512}})", lambda m: _LAST_NAME.search(m["names"]) is not None and holds_value(m), starts="\"loc|'loc"),
    rule("secret", "passw|secret|token|keys", r"(?:pass[a-z]*|secret|token|key)s?\\*[\"']?\s*[:=]\s*[\[(]", rf"(?i)(?:password|passwd|secret|token|api[_-]?key)s?(?:{QUOTE})?\s*[:=]\s*(?P<s>[\[(]\s*b?(?:{QUOTE})[^\[\]()]{{1,8192}}[\])])", inner=r"[\"'](?P<s>[^\"'\\,\s]{6,512})(?=\\*[\"'])", accept=holds_random, starts="password|passwd|secret|token|api_key|api-key|apikey"),

    # Prose, and codes that are sent to people
    rule("password", "passw", r"password\s+(?:is|was|for|of|generated|to proceed)\b", r"(?i)\bpassword\s+(?:(?:(?:for|of)\s+\S{1,64}\s+)?(?:is|was)\s+(?!generated)(?:now\s+|set\s+to\s+)?:?\s*|(?:is\s+generated\s+)?(?:for|of)\b[^:\n]{0,120}:\s+)[\"'`]?(?P<s>[^\s\"'`]{5,511}[^\s\"'`.,;:!?\\])", _telling, starts="password"),
    rule("password", "with password |using password ", r"(?:with|using) password [\"'`]?\S{6}", r"(?i)\b(?:with|using) password [\"'`]?(?P<s>[^\s\"'`]{5,511}[^\s\"'`.,;:!?\\])", _telling),
    rule("secret", "mnemonic|seed phrase|seed_phrase|recovery phrase", r"(?:mnemonic|phrase)[^a-z]{1,8}(?:[a-z]{3,8} ){11}", r"(?i)\b(?:mnemonic|(?:seed|recovery)[ _]phrase)[^A-Za-z\n]{1,8}(?P<s>(?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?![A-Za-z])"),
    rule("token", "token|secret", r"(?:token|secret)\s+[\"'`]?[0-9a-z_.+/=-]{20}", r"(?i)\b(?:token|secret)\s+[\"'`]?(?P<s>[A-Za-z0-9_.+/=-]{20,})", lambda m: opaque(m["s"]) and m["s"] != m["s"].lower()),
    rule("otp", "|".join(escaped(*_CODES)), either(*_CODES), rf"{either(*_CODES)}(?:是|为)?\s*(?:[:：]|\\+uff1a)?\s*[\"'【\[]?(?P<s>\d{{4,8}})(?!\d)", starts="|".join(beginnings(*_CODES))),
    rule("otp", "otp|cvv|cvc|pin=|pin:|pin\"|pin'|pin\\|pin_code|pincode|sms_code|smscode|verify_code|verification_code", r"(?:otp|cvv2?|cvc2?|pin(?:_?code)?|(?:sms|verify|verification)_?code)\\*[\"']?[:=]", rf"(?i){NAME_EDGE}(?:otp|cvv2?|cvc2?|pin(?:_?code)?|(?:sms|verify|verification)_?code)(?:{QUOTE})?[:=]\s*(?:{QUOTE})?(?P<s>\d{{3,8}})(?![\d.])", starts="otp|cvv|cvc|pin|sms|verif"),
    rule("password", "authorization_code|client_secret|pin_code|pincode", r"(?:authorization_code|client_secret|pin_?code)=", r"(?i)\b(?:authorization_code|client_secret|pin_?code)=(?P<s>[^\s&\"'\\]{4,})"),
    rule("api_key", "api key|api_key", r"api[ _]key", r"(?i)\bapi[ _]key(?: provided)?: (?P<s>[^\s,;'\"]*[^\s,;'\".])", lambda m: is_value(m["s"]) and ((len(m["s"]) > 5 and m["s"].startswith("sk-")) or looks_random(m["s"]))),
)  # fmt: skip
