"""The formats of keys, tokens and passwords that are known.

They are as their issuers document them, and as gitleaks (MIT) and detect-secrets (Apache-2.0) know them; lengths are
lower bounds here, because a key that is too long is no less of a secret. Neither is used as it is: the one is a program
in Go, the other looks for files with secrets in them, not for where a secret ends.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Args:
        kind: What it is called.
        hints: Words in lower case; a text without any of them is not looked at. Every text is where there are none.
        pattern: Its group ``secret``, or the whole match where there is none, is the secret.
        check: What else must hold of the secret.
    """

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None = None


#: Bits per character from which a value is drawn at random: words stay below, hexadecimal digits reach 3 soon.
_BITS = 3.0
#: Shortest run of letters and digits in a random token; ``sk-learn-contrib-examples`` has none.
_RUN = re.compile(r"[A-Za-z0-9]{16}")
#: What stands for a secret: a variable, a gap to fill in, stars, or what was redacted before.
_PLACEHOLDER = re.compile(
    r"[\W_]*|\[secret:.*|\$\{.*\}|\$[A-Z_][A-Z0-9_]*|%[A-Z_]+%|<[^<>]*>|\{[^{}]*\}|\{\{.*\}\}|[xX*]{4,}", re.DOTALL
)
#: What is said of passwords in general, beside words on -ed and -ing; any other word may be somebody's.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "asked case common correct empty false field forgot from have here hidden incorrect input into invalid just "
        "kept known lost missing more must needed never none null only optional password policy private reset safe "
        "same secret sent should string strong text that their them then this true type unknown used user value very "
        "weak what when will with wrong your",
    )
)
_WORD = re.compile(r"[A-Za-z]+|\d{1,3}|[^\W\d_a-zA-Z]+")
_LEAST_PASSWORD = 4


def _random(value: str) -> bool:
    """Whether a value looks drawn at random: letters and digits, nearly all of them different."""
    if _PLACEHOLDER.fullmatch(value) or not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
        return False
    counts = Counter(value[:256])
    size = sum(counts.values())
    return -sum(count / size * math.log2(count / size) for count in counts.values()) >= _BITS


def _token(value: str) -> bool:
    return _RUN.search(value) is not None


def _password(value: str) -> bool:
    """Whether what stands behind "password" is one, and not what is said about it, or a variable."""
    word = value.rstrip(".:!?)]}…").lower()
    if len(value) < _LEAST_PASSWORD or _PLACEHOLDER.fullmatch(value):
        return False
    said = word in _COMMON or word.endswith(("ed", "ing")) or not word.isascii()
    return not (said and _WORD.fullmatch(word))


def _other_password(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and _password(value)


def _pem_lines(value: str) -> bool:
    """Whether lines are a key's and not a list of hexadecimal digests."""
    return any(map(str.isupper, value)) and any(map(str.islower, value))


def _format(kind: str, hints: str, pattern: str, check: Callable[[str], bool] | None = None) -> Format:
    return Format(kind=kind, hints=tuple(hints.split()), pattern=re.compile(pattern), check=check)


def _issued(kind: str, hints: str, pattern: str, check: Callable[[str], bool] | None = None) -> Format:
    """A token with a prefix of its issuer's, which no letter or digit may stand before."""
    return _format(kind, hints, rf"(?<![A-Za-z0-9])(?:{pattern})", check)


#: What a secret is called where it is given a value. Chinese: password, pass phrase, secret key.
_KEY_NAMES = (
    r"(?:api|app|access|auth|secret|private|client|encryption|signing|account|master|session|refresh|bearer|webhook)"
    r"[ _.-]?(?:key|token|secret)|secret|token|credentials?|密钥|秘钥|令牌"
)
_PASSWORD_NAMES = r"password|passwd|passphrase|pass[_-]?code|pwd|密码|口令"  # noqa: S105 - their names
#: In environments (``DB_PASS``, ``SMTP_PW``), and in the languages that are common: values with a digit count there, as
#: what is said about passwords is known in English only.
_OTHER_PASSWORD_NAMES = r"(?<=_)pass|(?<=_)pw|passwort|kennwort|mot de passe|contraseña|senha|wachtwoord|пароль"  # noqa: S105
_OTHER_PASSWORD_NAMES += "|パスワード|비밀번호"
_QUOTE = r"(?:\\?[\"'`])"
_BEHIND = rf"{_QUOTE}?[ \t]{{0,4}}(?::=|=>|==?|:|\uff1a|\bis\b|是|为)[ \t]{{0,4}}(?:\n[ \t]{{0,8}}(?=[\"']))?"


def _named(kind: str, hints: str, names: str, value: str, check: Callable[[str], bool]) -> tuple[Format, Format]:
    """A value behind a name, first in quotes, then without."""
    quoted = rf"(?i:{names})s?\d?(?i:{_BEHIND})(?P<q>\\?[\"'`])(?P<secret>(?:(?!(?P=q))[^\n]){{4,256}})(?P=q)"
    plain = rf"(?i:--(?:{names})[= ]|(?:{names})s?\d?(?i:{_BEHIND}))(?P<secret>{value})"
    return _format(kind, hints, quoted, check), _format(kind, hints, plain, check)


#: A password without quotes; in Chinese and Japanese, words go on behind it without a blank.
_PASSWORD = r"[^\s\"'`&<>,;\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]{4,256}+"  # noqa: S105 - its form
_KEY_NAME = re.compile(rf"(?i:{_KEY_NAMES})s?\d?$")
_PASSWORD_NAME = re.compile(rf"(?i:{_PASSWORD_NAMES})s?\d?$")
_OTHER_PASSWORD_NAME = re.compile(rf"(?i:{_OTHER_PASSWORD_NAMES})\d?$")


def kind_of_member(name: str, value: str) -> str | None:
    """What kind of secret a member of a JSON object is by its name: ``{"password": "hunter2"}``; or None."""
    if _PASSWORD_NAME.search(name) and _password(value):
        return "password"
    if _OTHER_PASSWORD_NAME.search(name) and _other_password(value):
        return "password"
    return "key" if _KEY_NAME.search(name) and _random(value) else None


@cache
def formats() -> tuple[Format, ...]:
    """All of them. Made when first asked for, since compiling the patterns takes longer than `import memplug` may."""
    return (*_tokens(), *_told())


def _tokens() -> tuple[Format, ...]:
    """Those that their issuers made recognisable."""
    return (
        # AWS, "Understanding unique ID prefixes".
        _issued(
            "aws-key", "akia asia abia acca a3t", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
        ),
        _issued("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,255}"),
        # OpenAI and the many that took over its prefix: DeepSeek, OpenRouter, LiteLLM.
        _issued("openai-key", "sk-", r"sk-[A-Za-z0-9_-]{20,255}", _token),
        _issued("google-key", "aiza gocspx ya29", r"AIza[\w-]{35}|GOCSPX-[\w-]{20,64}|ya29\.[\w-]{20,255}"),
        _issued("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_\w{30,255}|github_pat_\w{22,255}"),
        # GitLab, "Token prefixes".
        _issued("gitlab-token", "gl gr1348941", r"gl[a-z]{1,6}-[\w.-]{20,255}|GR1348941[\w-]{20,64}", _token),
        _issued(
            "slack-token", "xox xapp-", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,255}|xapp-\d-[A-Za-z0-9-]{10,255}"
        ),
        _format(
            "webhook",
            "hooks.slack.com/",
            r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9+/_-]{20,255})",
        ),
        _format("webhook", "/api/webhooks/", r"/api/webhooks/\d{10,24}/(?P<secret>[\w-]{40,255})"),
        _issued("stripe-key", "_live_ _test_ _prod_", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255}"),
        _issued("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,255}"),
        _issued("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,255}"),
        _issued("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,255}"),
        _issued("pypi-token", "pypi-", r"pypi-[\w-]{50,255}"),
        _issued("sendgrid-key", "sg.", r"SG\.[\w-]{16,64}\.[\w-]{16,128}"),
        _issued("twilio-key", "sk", r"SK[0-9a-fA-F]{32}(?![A-Za-z0-9])"),
        _issued("telegram-token", ":aa", r"\d{8,12}:AA[\w-]{32,40}"),
        _issued("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
        _issued("shopify-token", "shp", r"shp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32,64}"),
        _issued("model-key", "gsk_ xai- pplx- r8_ nvapi-", r"(?:gsk_|xai-|pplx-|r8_|nvapi-)[\w-]{30,255}", _token),
        _issued("databricks-token", "dapi", r"dapi[a-f0-9]{32}"),
        _issued("notion-token", "ntn_ secret_", r"(?:ntn|secret)_[A-Za-z0-9]{40,64}"),
        _issued("vault-token", "hvs. hvb.", r"hv[sb]\.[\w-]{24,300}"),
        _issued("azure-secret", "q~", r"[\w.~-]{3}\dQ~[\w.~-]{31,34}"),
        _issued("age-key", "age-secret-key-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    )


def _told() -> tuple[Format, ...]:
    """Those that are told by their build, or by what stands before them."""
    return (
        # RFC 7519 and 7516: the header is JSON, so its first letters are always these.
        _format(
            "jwt", "eyj", r"(?<![\w-])eyJ[\w-]{8,}+\.(?:eyJ[\w-]{8,}+|[\w-]*+\.[\w-]*+\.[\w-]{8,}+)(?:\.[\w-]*+){0,2}"
        ),
        _format(
            "url-password",
            "://",
            r"(?<=://)[^\s/?#\"'<>@:\[]{0,128}:(?P<secret>[^\s/\"'<>]{1,256})@",
            lambda value: not _PLACEHOLDER.fullmatch(value),
        ),
        _format(
            "authorization",
            "authorization",
            r"(?i:authorization)\\?[\"'`]?[ \t]{0,4}[:=][ \t]{0,4}\\?[\"'`]?"
            r"(?:(?i:bearer|basic|token|apikey|digest|negotiate)[ \t]{1,4})?(?P<secret>[^\s\"'`,;\\]{8,4096}+)",
            lambda value: not _PLACEHOLDER.fullmatch(value),
        ),
        _format("bearer-token", "bearer", r"(?i:\bbearer)[ \t]{1,4}(?P<secret>[\w.~+/=-]{16,4096}+)", _random),
        # The inner lines of a PEM key in a passage without its marks: OpenSSL's have 64 letters, OpenSSH's 70.
        _format(
            "private-key",
            "",
            r"(?m)(?:^[A-Za-z0-9+/]{8,69}\r?\n)?(?:(?:^[A-Za-z0-9+/]{64}\r?\n){4,}+|(?:^[A-Za-z0-9+/]{70}\r?\n){4,}+)"
            r"(?:[A-Za-z0-9+/=]{8,70}$)?",
            _pem_lines,
        ),
        *_named("key", "key token secret credential 密钥 秘钥 令牌", _KEY_NAMES, r"[\w.~+/=:@!-]{16,512}+", _random),
        *_named(
            "password",
            "passw passphrase passcode pass_code pass-code pwd 密码 口令",
            _PASSWORD_NAMES,
            _PASSWORD,
            _password,
        ),
        *_named(
            "password",
            "_pass _pw passwort kennwort passe contraseña senha wachtwoord пароль パスワード 비밀번호",
            _OTHER_PASSWORD_NAMES,
            _PASSWORD,
            _other_password,
        ),
    )
