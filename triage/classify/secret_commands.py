"""What a secret looks like in a command and in what a client says to a server: options, consoles, protocols of lines.

Tables only, as in `secret_rules.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.classify.secret_rules import COARSE_FIELD, EDGE, FIELD, QUOTE, Accept, Rule, holds_random, holds_value, rule

_COMMAND_LENGTH = 400  # characters, in which an option belongs to a command
_SAID = r"(?:\\+[rn]|\\*[\"'\s])*(?:[,}].{0,4096})?$"  # the end of what is said, maybe in JSON
_TAG = re.compile(r"(?:^|[\s\"'>])[A-Za-z]{1,8}\d{1,8} $")
_FILE = re.compile(r"\.[a-z]{1,4}$")


def _option(
    kind: str, commands: str, command: str, option: str, regex: str, accept: Accept = lambda match: True, *,
    starts: str, inner: str | None = None, stops: str = "\n|;",
) -> Rule:  # fmt: skip
    """A rule for what stands behind an option of a command, which is named in front of it without one of `stops` between."""
    names, named = commands.split("|"), re.compile(rf"(?i){EDGE}{command}")

    def of_command(match: re.Match[str]) -> bool:
        shift = max(0, match.start() - _COMMAND_LENGTH)
        low = match.string[shift : match.start() + 1].lower()
        place = max(low.rfind(name) for name in names)
        while place >= 0:
            if told := named.match(match.string, shift + place):
                return told.end() <= match.start() and not any(c in stops for c in match.string[told.end() : match.start()])
            place = max(low.rfind(name, 0, place) for name in names)
        return False

    return replace(rule(kind, commands, option, regex, accept, inner=inner, starts=starts), stands=of_command)


def _tagged(match: re.Match[str]) -> bool:
    """A command of IMAP, which has a tag in front; a number alone may also count logins."""
    before = match.string[max(0, match.start() - 20) : match.start()]
    return _TAG.search(before) is not None or (before[-2:-1].isdigit() and holds_random(match))


def _no_file(match: re.Match[str]) -> bool:
    """A password, and not the test that passed."""
    return holds_value(match) and _FILE.search(match["s"]) is None


COMMANDS: tuple[Rule, ...] = (
    _option("cookie", "curl|wget", r"(?:curl|wget)\s", r"(?:curl|wget)\s", r"(?i)(?<=\s)(?:-b|--cookie)[ =]\\*[\"']?(?P<s>[^\s=\"'@]+=[^\"'\n]*?)(?=[\"']|\s-|\shttp|$)", starts="-b|--cookie", inner=r"[^\s=;,]+=(?P<s>[^\s;,]+)", stops="\n"),
    rule("password", "-pass|-secret|-token|-api-key|-setcookie|-requirepass|-masterauth", r"-(?:password|passwd|pass|secret|token|api-key|requirepass|masterauth|setcookie)\s", rf"(?i)(?<![A-Za-z0-9])--?(?:password|passwd|pass|secret|token|api-key|requirepass|masterauth|setcookie)\s+(?:{QUOTE})?(?P<s>[^\s\"'\\-][^\s\"'\\]*)", holds_value, reach=1),
    rule("password", "requirepass|masterauth", r"(?:requirepass|masterauth)\\*[\"']?\s", rf"(?i)\b(?:requirepass|masterauth)(?:{QUOTE})?\s+(?:{QUOTE})?(?P<s>[^\s\"'\\]+)", holds_value),
    _option("password", "curl|wget", r"(?:curl|wget)\s", r"(?:curl|wget)\s", r"(?i)(?<=\s)(?:(?:-u|--user|-a|--auth|--proxy-user)[ =]?|-[a-z]{1,6}u[ =])\\*[\"']?(?!https?:)[^\s:\"'-][^\s:\"']{0,256}:(?P<s>[^\s\"'\\]+)", holds_value, starts="-", stops="\n"),
    _option("password", "mysql|mariadb", r"(?:mysql|mariadb)\S*\s", r"(?:mysql|mariadb)\S*\s.*-p", r"(?<=\s)-p\\*[\"']?(?P<s>[^\s\"'=]+)", holds_value, starts="-p"),
    _option("password", "mysqladmin", r"mysqladmin\s", r"mysqladmin\s.*password\s", r"(?i)(?<=\s)password\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value, starts="password"),
    _option("password", "redis-cli|sshpass", r"(?:redis-cli|sshpass)\s", r"(?:redis-cli|sshpass)\s", r"(?i)(?<=\s)-[ap]\s*\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value, starts="-a|-p"),
    _option("password", "login -", r"login (?=-)", r"login -.*p[\s=]", r"(?<=\s)-p[\s=]\s*\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value, starts="-p"),
    rule("password", "htpasswd", r"htpasswd\s", r"(?i)\bhtpasswd\s+-\w*b\w*\s+(?:-\S+\s+){0,8}\S+\s+\S+\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    _option("password", "ldap", r"ldap[a-z]{3,8}\s", r"ldap[a-z]*\s.*-w\s", r"(?i)(?<=\s)-w\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value, starts="-w"),
    rule("password", "login ", r"login\s+\S+\s+password\s", r"(?i)\blogin\s+\S{1,256}\s+password\s+(?P<s>[^\s\"'\\]+)", lambda m: holds_random(m)),
    rule("secret", "set -", rf"set\s+-[a-z]+\s+\S*{COARSE_FIELD}\s", rf"(?i)\bset\s+-[A-Za-z]{{1,4}}\s+\w{{0,64}}?{FIELD}\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("password", "rabbitmqctl", "rabbitmqctl", r"(?i)\brabbitmqctl\s+(?:-\S+\s+\S+\s+){0,8}(?:add_user|change_password|authenticate_user)\s+(?:--\s+)?\S+\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("password", "auth\"|auth\\", r"auth\\*\"\s+\\*\"", r"(?i)\\*\"auth\\*\"\s+(?:\\*\"[^\"\\]*\\*\"\s+)?\\*\"(?P<s>[^\"\\]+)\\*\"", holds_value, starts="\"auth"),
    _option("password", "setuser", r"setuser\b", "setuser", r"(?<=[\s\"'])(?:[<>]|#(?=[0-9a-f]{64}))(?P<s>[^\s\"'\\<>][^\s\"'\\]*)", starts=">|<|#", stops="\n"),
    _option("password", "rabbitmqadmin|mongo|useradd|usermod", r"(?:rabbitmqadmin|mongo\w*|useradd|usermod)\s", r"(?:rabbitmqadmin|mongo\w*|useradd|usermod)\s.*-p[\s=]", r"(?<=\s)-p[\s=]\s*\\*[\"']?(?P<s>[^\s\"'-][^\s\"'\\]*)", holds_value, starts="-p"),
    _option("password", "smbclient", r"smbclient\s", "smbclient", r"(?<=\s)(?:-U|--user)[ =]?\\*[\"']?[^\s%\"']{1,128}%(?P<s>[^\s\"'\\]+)", holds_value, starts="-u|--user"),
    rule("password", "-stdin|chpasswd", r"echo\s.*\|.*(?:-stdin|chpasswd)", r"(?i)\becho\s+(?:-\w+\s+)?\\*[\"']?(?:[\w.-]{1,64}:)?(?P<s>[^\s\"'|\\]{1,512})\\*[\"']?\s*\|[^|\n]{0,80}?(?:-stdin|chpasswd)", holds_value, starts="echo"),
    rule("secret", "config set|configure set", rf"(?:config|configure) set\s+\S*{COARSE_FIELD}\s", rf"(?i)\b(?:config|configure) set\s+\S{{0,128}}?{FIELD}\s+\\*[\"']?(?P<s>[^\s\"'\\]+)", holds_value),
    rule("token", "vault login", "vault login", r"(?i)\bvault login\s+(?:-\S+\s+){0,4}(?:token=)?(?P<s>[^\s\"'=-][^\s\"'=]*)", holds_random),

    # What clients of mail, files and Redis say to their servers
    rule("authorization", "auth plain|auth login|auth xoauth2|authenticate plain|authenticate login|authenticate xoauth2", r"auth(?:enticate)? (?:plain|login|xoauth2)\s", r"(?i)\bauth(?:enticate)? (?:plain|login|xoauth2)\s+(?:user )?(?P<s>[A-Za-z0-9+/=]{8,})", holds_random),
    replace(rule("password", "login ", r"[0-9] login\s+\S+\s+\S", rf"LOGIN (?:\\*\"[^\"\\]{{1,256}}\\*\"|[^\s\"]{{1,256}}) (?:{QUOTE})?(?P<s>[^\s\"'\\]+)(?={_SAID})", holds_value), stands=_tagged),
    rule("password", "pass ", r"(?:[<>:*]|\*/?)\s*b?\\*[\"']?pass\s+\S", rf"(?:[<>]|C:|send:|\*(?:cmd|put)\*)\s?b?\\*[\"']?PASS (?P<s>[^\s\"'\\]+)(?={_SAID})", _no_file, starts="<|>|c:|send:|*cmd*|*put*"),
    rule("password", "auth ", r"(?:auth default\s|hello [23] auth\s|>\s?auth\s|redis\S*[:>]\s?auth\s)", rf"(?:(?i:redis)\S{{0,64}}[:>]\s?|>\s?|HELLO [23] |(?<![\w/-])(?=AUTH default ))AUTH (?:[^\s\"'\\]{{1,128}} )?(?P<s>[^\s\"'\\]+)(?={_SAID})", holds_value, starts="redis|>|hello |auth default "),
    rule("password", r"auth\r|auth\\r", r"auth\\+r\\+n\$", r"(?i)\bauth\\+r\\+n(?:\$\d+\\+r\\+n[^\\]{1,256}\\+r\\+n)?\$\d+\\+r\\+n(?P<s>[^\\\s]{1,512})\\+r\\+n(?!\$)", starts="auth"),
    rule("password", r"pass\r|pass\\r|auth\r|auth\\r", r"(?:requirepass|masterauth)\\+r\\+n\$", r"(?i)\b(?:requirepass|masterauth)\\+r\\+n\$\d+\\+r\\+n(?P<s>[^\\\s]{1,512})", starts="requirepass|masterauth"),
)  # fmt: skip
