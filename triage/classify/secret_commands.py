"""What a secret looks like in a command and in what a client says to a server: options, consoles, protocols of lines.

Tables only, as in `secret_rules.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.classify.secret_rules import COARSE_FIELD, EDGE, FIELD, QUOTE, Accept, Rule, holds_random, holds_value, rule
from triage.classify.secret_values import opaque

_COMMAND_LENGTH = 400  # characters, in which an option belongs to a command
_SAID = r"(?:\\+[rn]|\\*[\"'\s])*(?:[,}].{0,4096})?$"  # the end of what is said, maybe in JSON
_COARSE_SAID = r"(?:\\+[rn]|\\*[\"'\s])*(?:[,}].*)?$"
_TAG = re.compile(r"(?:^|[\s\"'>])[A-Za-z]{1,8}\d{1,8} $")
_FILE = re.compile(r"\.[a-z]{1,4}$")
# An option on a command line or in a list of arguments as Python prints it, what is between it and its value, and that.
_BEGIN = r"(?:(?<=\s)|(?P<listed>(?<=[\"'])))"
_TO = r"(?(listed)\\*[\"'],\s?\\*[\"']|[\s=]\s{0,8}\\*[\"']?)"
_TO_OR_NOT = rf"(?:{_TO}|\\*[\"']?)"
_VALUE = r"(?P<s>(?<=[\"'])[^\"'\\\n]{1,256}(?=\\*[\"'])|[^\s\"'\\]+)"
_USER_AND = r"(?!https?:)[^\s:\"'\\-][^\s:\"'\\]{0,256}:(?P<s>[^\s\"'\\]+)"
_GATES_P = " -p|'-p|\"-p"  # of commands whose names stand in many a line that has no option
_DASHES = re.compile(r"(?P<before>^|[^A-Za-z0-9_-])(?:-?|--?[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)$")
_PASSED = re.compile(r"(?i)test|spec|case|check|step|stage|rule|phase|suite|scenario|level|round|part|build|job|task|unit|e2e|[/()]|::")
_MECHANISM = re.compile(r"(?:CRAM|SCRAM|DIGEST)-\S+|XOAUTH2|(?:TLS|SSL)v?[\d.]*|[a-z]+://\S+|/\S*|\w+=\S*")
_MEASURE = re.compile(r"v?\d[\d.,:/]*[a-z%]{0,3}")
_SAYS = re.compile(r"(?i)(?:ok|for|by|from|to|as|on|is|via|with|user|fail\w*|succe\w*|attempts?|error|request\w*|service|module|session|method|type|mode|provider|took) ")


def _option(
    kind: str, commands: str, option: str, value: str, accept: Accept = holds_value, *,
    starts: str = "", gates: str = "", tail: str = r"[\w.-]*", inner: str | None = None, stops: str = "\n|;",
) -> Rule:  # fmt: skip
    """A rule for what stands behind an option of commands, one of which is named in front of it without one of `stops` between."""
    names, named = commands.split("|"), re.compile(rf"(?i){EDGE}(?:{commands}){tail}(?=[\s\"'\\])")
    starts = starts or "|".join(dict.fromkeys(re.findall(r"--?[a-z]", option.lower())))

    def of_command(match: re.Match[str]) -> bool:
        shift = max(0, match.start() - _COMMAND_LENGTH)
        low = match.string[shift : match.start() + 1].lower()
        place = max(low.rfind(name) for name in names)
        while place >= 0:
            if told := named.match(match.string, shift + place):
                return told.end() <= match.start() and not any(c in stops for c in match.string[told.end() : match.start()])
            place = max(low.rfind(name, 0, place + len(name) - 1) for name in names)
        return False

    coarse = rf"(?:{commands}){tail}[\s\"'\\](?:.*[\s\"'])?(?:{starts})"
    made = rule(kind, gates or commands, coarse, rf"{_BEGIN}(?:{option}){value}", accept, inner=inner, starts=starts)
    return replace(made, stands=of_command)


def _tagged(match: re.Match[str]) -> bool:
    """A command of IMAP, which has a tag in front; a number alone may also count logins."""
    before = match.string[max(0, match.start() - 20) : match.start()]
    return _TAG.search(before) is not None or (before[-2:-1].isdigit() and holds_random(match))


def _no_file(match: re.Match[str]) -> bool:
    """A password, and not the test that passed."""
    return holds_value(match) and _FILE.search(match["s"]) is None


def _no_number(match: re.Match[str]) -> bool:
    """A password, and not a port."""
    return holds_value(match) and not match["s"].isdigit()


def _dashed(match: re.Match[str]) -> bool:
    """Whether a word with its dash ends the name of an option: `-pass`, `--password`, `--http-password`."""
    dashes = _DASHES.search(match.string[max(0, match.start() - 40) : match.start()])
    return dashes is not None and (match["listed"] is None or dashes["before"] in ("'", '"'))


def _strong(match: re.Match[str]) -> bool:
    """Where something else stands as a rule: eight characters of three classes at least."""
    s = match["s"]
    return len(s) >= 8 and sum((any(map(str.islower, s)), any(map(str.isupper, s)), any(map(str.isdigit, s)), not s.isalnum())) > 2


def _said(match: re.Match[str]) -> bool:
    """What a client says without a word in front that tells of one: no result of a test, no measure, no mechanism."""
    s = match["s"]
    if not holds_random(match) or not any(map(str.isalpha, s)) or s.isalpha() or _MEASURE.fullmatch(s) or _MECHANISM.fullmatch(s):
        return False
    if match[0].startswith("PASS"):
        return _no_file(match) and _PASSED.search(s) is None
    return _SAYS.match(match[0][len("AUTH ") :]) is None or any(c in "!@#$%^&*+~?" for c in s)


def _pair_or_token(match: re.Match[str]) -> bool:
    return holds_value(match) if match["user"] else opaque(match["s"])


COMMANDS: tuple[Rule, ...] = (
    _option("cookie", "curl|wget", r"(?i:-b|--cookie)", rf"{_TO}(?P<s>[^\s=\"'@]+=[^\"'\n]*?)(?=[\"']|\s-|\shttp|$)", lambda match: True, inner=r"[^\s=;,]+=(?P<s>[^\s;,]+)", stops="\n"),
    replace(rule("password", "-pass|-secret|-token|-api-key|-access-key|-private-key|-setcookie|-requirepass|-masterauth|-storepass|-keypass", r"-(?:[a-z]*pass[a-z]*|secret|token|(?:api|secret|access|private)-key|setcookie|masterauth)\\*[\"']?,?\s", rf"(?i)-(?:password|passwd|passphrase|pass(?:in|out)?|secret|token|(?:api|secret|access|private)-key|requirepass|masterauth|setcookie|storepass|keypass)(?:(?P<listed>\\*[\"'],\s?)|\s+)\\*[\"']?(?!-|(?:pass|env|file|fd):){_VALUE}", holds_value), stands=_dashed),
    rule("password", "requirepass|masterauth", r"(?:requirepass|masterauth)\\*[\"']?\s", rf"(?i)\b(?:requirepass|masterauth)(?:{QUOTE})?\s+(?:{QUOTE})?(?P<s>[^\s\"'\\]+)", holds_value),
    _option("password", "curl|wget", r"-[uU]|--user|--proxy-user|-[A-Za-z]{1,6}u(?=[ =])", rf"{_TO_OR_NOT}{_USER_AND}", starts="-", stops="\n"),
    _option("password", "http|https|xh", r"-a|--auth", rf"{_TO}(?P<user>[^\s:\"'\\-][^\s:\"'\\]{{0,256}}:)?(?P<s>[^\s:\"'\\]+)", _pair_or_token, gates="-a |-a'|-a\"|--auth", tail="", stops="\n"),
    _option("password", "mysql|mariadb", r"-p", r"\\*[\"']?(?P<s>[^\s\"'=\\]+)", gates=_GATES_P),
    _option("password", "mysqladmin|nmcli", r"password", rf"{_TO}{_VALUE}", starts="password"),
    _option("password", "redis-cli", r"-a", rf"{_TO}{_VALUE}"),
    _option("password", "sshpass", r"-p", rf"{_TO_OR_NOT}{_VALUE}", gates=_GATES_P),
    _option("password", "login", r"-p", rf"{_TO}{_VALUE}", _no_number, gates=_GATES_P, tail=""),
    _option("password", "zip|unzip", r"-[A-Za-z]{0,6}P", rf"{_TO}{_VALUE}", starts="-", gates="zip |zip'|zip\"", tail=""),
    _option("password", "7z|7za|7zr|rar|unrar", r"-h?p", rf"\\*[\"']?{_VALUE}", starts="-p|-hp", gates=_GATES_P + "| -hp|'-hp", tail=""),
    _option("password", "openssl", r"-[kK]", rf"{_TO}{_VALUE}", starts="-k"),
    rule("password", "pass:", r"-pass(?:in|out)?[^a-z0-9]{1,8}pass:", r"(?i)-pass(?:in|out)?[^a-z0-9]{1,8}pass:(?P<s>[^\s\"'\\]+)", starts="-pass"),
    _option("password", "sqlcmd|bcp|isql|tsql|ipmitool|mosquitto|ssh-keygen", r"-[PN]", rf"{_TO}(?!-){_VALUE}", _no_number, starts="-p|-n", gates=_GATES_P + "|ssh-keygen"),
    _option("password", "rabbitmqadmin|mongo|useradd|usermod|cqlsh|twine|cypher-shell|beeline", r"-p", rf"{_TO}(?!-){_VALUE}", _no_number, gates=_GATES_P),
    _option("password", "su", r"-p", rf"{_TO}(?!-){_VALUE}", _strong, gates=_GATES_P, tail=""),
    _option("password", "smbclient", r"-U|--user", rf"{_TO_OR_NOT}[^\s%\"']{{1,128}}%(?P<s>[^\s\"'\\]+)"),
    _option("password", "ldap", r"-w", rf"{_TO}{_VALUE}", tail=r"[a-z]{3,8}"),
    _option("password", "setuser", r"[<>]|#(?=[0-9a-f]{64})", r"(?P<s>[^\s\"'\\<>][^\s\"'\\]*)", lambda match: True, starts=">|<|#", stops="\n"),
    rule("password", "on >|on #|off >|off #|-payload >|-payload #", r"user [^\s]+ (?:on|off) (?:[^\s]+ )?[>#]", r"(?i)\buser [^\s\"'\\]{1,128} (?:on|off) (?:sanitize-payload |skip-sanitize-payload )?(?:>|#(?=[0-9a-f]{64}))(?P<s>[^\s\"'\\]+)", starts="user "),
    rule("password", "htpasswd", r"htpasswd\s", rf"(?i)\bhtpasswd\s+-(?:(?=\w*b)(?=\w*n)\w+\s+(?:-\S+\s+){{0,8}}|\w*b\w*\s+(?:-\S+\s+){{0,8}}\S+\s+)\S+\s+\\*[\"']?{_VALUE}", holds_value),
    rule("password", "login ", r"login\s+\S+\s+password\s", r"(?i)\blogin\s+\S{1,256}\s+password\s+(?P<s>[^\s\"'\\]+)", lambda m: holds_random(m)),
    rule("secret", "set -", rf"set\s+-[a-z]+\s+\S*{COARSE_FIELD}\s", rf"(?i)\bset\s+-[A-Za-z]{{1,4}}\s+\w{{0,64}}?{FIELD}\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("password", "rabbitmqctl", "rabbitmqctl", r"(?i)\brabbitmqctl\s+(?:-\S+\s+\S+\s+){0,8}(?:add_user|change_password|authenticate_user)\s+(?:--\s+)?\S+\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("password", "-stdin|chpasswd|sudo -s", r"echo\s.*\|.*(?:-stdin|chpasswd|sudo -s)", r"(?i)\becho\s+(?:-\w+\s+)?\\*[\"']?(?:[\w.-]{1,64}:)?(?P<s>[^\s\"'|\\]{1,512})\\*[\"']?\s*\|[^|\n]{0,80}?(?:-stdin|chpasswd|sudo -S)", holds_value, starts="echo"),
    rule("secret", "config set|configure set", rf"(?:config|configure) set\s+\S*{COARSE_FIELD}\s", rf"(?i)\b(?:config|configure) set\s+\S{{0,128}}?{FIELD}\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("token", "vault login", "vault login", r"(?i)\bvault login\s+(?:-\S+\s+){0,4}(?:token=)?(?P<s>[^\s\"'=-][^\s\"'=]*)", holds_random),
    rule("secret", "from-literal", r"from-literal[\s=]", rf"(?i)--from-literal[\s=]\\*[\"']?[\w.-]{{1,128}}=\\*[\"']?{_VALUE}", holds_value, starts="--from-literal"),
    rule("secret", "mc alias set|mc config host add", "mc (?:alias set|config host add)", r"(?i)\bmc (?:alias set|config host add) \S{1,64} \S{1,253} \S{1,128} (?P<s>[^\s\"'\\]+)", holds_value),
    # A line of .pgpass: server, port, database, user and password
    rule("password", ":5432:|:5433:|:6432:|*:*:", r":(?:5432|5433|6432|\*):[^\s:]+:[^\s:]+:[^\s]", r"(?::(?:5432|5433|6432)|\*:\*):[^\s:/]{1,64}:[^\s:/]{1,64}:(?P<s>[^\s\"'\\]{4,512})", holds_random),

    # What clients of mail, files and Redis say to their servers
    rule("authorization", "auth plain|auth login|auth xoauth2|authenticate plain|authenticate login|authenticate xoauth2", r"auth(?:enticate)? (?:plain|login|xoauth2)\s", r"(?i)\bauth(?:enticate)? (?:plain|login|xoauth2)\s+(?:user )?(?P<s>[A-Za-z0-9+/=]{8,})", holds_random),
    replace(rule("password", "login ", r"[0-9] login\s+\S+\s+\S", rf"LOGIN (?:\\*\"[^\"\\]{{1,256}}\\*\"|[^\s\"]{{1,256}}) (?:{QUOTE})?(?P<s>[^\s\"'\\]+)(?={_SAID})", holds_value), stands=_tagged),
    rule("password", "pass ", r"(?:[<>:*]|\*/?)\s*b?\\*[\"']?pass\s+\S", rf"(?:[<>]|C:|send:|\*(?:cmd|put)\*)\s?b?\\*[\"']?PASS (?P<s>[^\s\"'\\]+)(?={_SAID})", _no_file, starts="<|>|c:|send:|*cmd*|*put*"),
    rule("password", "auth ", r"(?:auth default\s|hello [23] auth\s|>\s?auth\s|redis\S*[:>]\s?auth\s)", rf"(?:(?i:redis)\S{{0,64}}[:>]\s?|>\s?|HELLO [23] |(?<![\w/-])(?=AUTH default ))AUTH (?:[^\s\"'\\]{{1,128}} )?(?P<s>[^\s\"'\\]+)(?={_SAID})", holds_value, starts="redis|>|hello |auth default "),
    rule("password", "auth |pass ", rf"(?:^|[^0-9a-z_./-])(?:auth (?:[^\s]+ )?|pass )[^\s\"'\\]{{6,}}{_COARSE_SAID}", rf"(?<![A-Za-z0-9_./-])(?:AUTH (?:[^\s\"'\\]{{1,128}} )?|PASS )(?P<s>[^\s\"'\\]{{6,512}})(?={_SAID})", _said),
    rule("password", "auth\"|auth\\|auth2", r"auth2?\\*\"\s+\\*\"", r"(?i)\\*\"auth2?\\*\"\s+(?:\\*\"[^\"\\]*\\*\"\s+)?\\*\"(?P<s>[^\"\\]+)\\*\"", holds_value, starts="\"auth"),
    rule("password", r"auth\r|auth\\r", r"auth\\+r\\+n\$", r"(?i)\bauth\\+r\\+n(?:\$\d+\\+r\\+n[^\\]{1,256}\\+r\\+n)?\$\d+\\+r\\+n(?P<s>[^\\\s]{1,512})\\+r\\+n(?!\$)", starts="auth"),
    rule("password", r"pass\r|pass\\r|auth\r|auth\\r", r"(?:requirepass|masterauth)\\+r\\+n\$", r"(?i)\b(?:requirepass|masterauth)\\+r\\+n\$\d+\\+r\\+n(?P<s>[^\\\s]{1,512})", starts="requirepass|masterauth"),
)  # fmt: skip
