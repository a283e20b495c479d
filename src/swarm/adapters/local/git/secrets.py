"""Secrets in added lines, found by the detect-secrets rules; values never leave this module.

Only the rules are used, called one by one: the library's own scan keeps global settings and may
ask the issuing service whether a secret is valid, and neither may happen here. Its entropy rules
are left out: they refuse every hash, and a patch is refused for good by one finding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from swarm.core.policy.intake import Rule, SecretSeen, TouchedPath, Violation
from swarm.core.policy.intake_text import added

_RULES = tuple(
    rule()
    for rule in (
        AWSKeyDetector,
        AzureStorageKeyDetector,
        CloudantDetector,
        DiscordBotTokenDetector,
        GitHubTokenDetector,
        GitLabTokenDetector,
        IbmCloudIamDetector,
        IbmCosHmacDetector,
        MailchimpDetector,
        NpmDetector,
        OpenAIDetector,
        PrivateKeyDetector,
        PypiTokenDetector,
        SendGridDetector,
        SlackDetector,
        SoftlayerDetector,
        SquareOAuthDetector,
        StripeDetector,
        TelegramBotTokenDetector,
        TwilioKeyDetector,
    )
)
#: Tokens whose form no rule of the library knows; first among them the keys that agents work with.
_FORMS = tuple(
    (name, re.compile(rf"(?<![A-Za-z0-9])(?:{form})"))
    for name, form in (
        ("Anthropic Key", r"sk-ant-[A-Za-z0-9_-]{20,}"),
        ("OpenAI Key", r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"),
        ("OpenRouter Key", r"sk-or-v1-[a-f0-9]{64}"),
        ("Google API Key", r"AIza[A-Za-z0-9_-]{35}"),
        ("xAI Key", r"xai-[A-Za-z0-9]{80}"),
        ("Groq Key", r"gsk_[A-Za-z0-9]{52}"),
        ("Hugging Face Token", r"hf_[A-Za-z0-9]{34}"),
        ("GitHub Token", r"github_pat_[A-Za-z0-9_]{50,}"),
        ("DigitalOcean Token", r"do[opr]_v1_[a-f0-9]{64}"),
        ("Databricks Token", r"dapi[a-f0-9]{32}"),
        ("Shopify Token", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
        ("Vault Token", r"hvs\.[A-Za-z0-9_-]{24,}"),
        ("Terraform Token", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
        ("Private Key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    )
)
_ARTIFACTORY = ArtifactoryDetector()
_TOKENS = JwtTokenDetector()  # decodes what looks like one, so it is called as a whole
_LOGIN = BasicAuthDetector()
_KEYWORDS = KeywordDetector()

#: Every word of the keyword rule holds one of these; the rule itself is slow.
_KEYWORD = re.compile(r"key|pass|pwd|secret|contrase", re.IGNORECASE)

#: `password = "..."` and `user:password@` are everywhere in tests and examples; no secrets there.
_EXAMPLE = re.compile(
    r"(?:^|/)(?:tests?|spec|fixtures?|examples?|docs?)(?:/|_|$)"
    r"|(?:^|/)(?:test_|conftest|readme)|_(?:test|spec)\."
)

#: Values that only stand for one: templates, references, and the usual fill-ins.
_PLACEHOLDER = re.compile(
    r"[<>{}$()]|^(?:x+|\*+|\.+)$|example|placeholder|change.?me|your[-_ ]|dummy|secret$|password$",
    re.IGNORECASE,
)

#: What every rule's match holds: a long run of a token's characters, or a key file's own words.
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.-]{11}|PRIVATE KEY|PuTTY")

#: Shorter values beside a keyword are words such as `basic` or `changed`.
SHORTEST = 8
SHORTEST_VALUE = 16  #: of a credential that is looked for as it is; `dummy` keys are shorter

#: Longer lines are cut before the rules see them: some of their expressions are quadratic.
LINE_LIMIT = 4096


def secrets_in(path: str, old: str, new: str) -> tuple[SecretSeen, ...]:
    """What the rules find in lines that `new` has and `old` has not; values masked."""
    found = []
    for number, line in added(old, new):
        for piece in _pieces(line):
            found += [
                SecretSeen(rule=rule, line=number, masked=mask(value))
                for rule, value in _matches(path, piece)
            ]
    return tuple(dict.fromkeys(found))


def values_in(
    touched: Iterable[TouchedPath], contents: Mapping[str, bytes], values: Iterable[str]
) -> tuple[Violation, ...]:
    """Where the patch brings one of these very values, whatever form they have.

    values: credentials of who made the patch. Short ones and plain words stand for none.
    """
    known = [value for value in values if len(value) >= SHORTEST_VALUE and not value.isalpha()]
    found = []
    for item in touched:
        data = item.path + "\n" + os.fsdecode(contents.get(item.path, b""))
        for value in known:
            if value in data and value not in (item.old or ""):
                what = f"a credential that the agent was given: {mask(value)}"
                found.append(Violation(rule=Rule.SECRET_IN_PATCH, path=item.path, what=what))
    return tuple(found)


def mask(value: str) -> str:
    """At most the first four characters, and never more than a quarter of the value."""
    return f"{value[: min(4, len(value) // 4)]}*** ({len(value)} characters)"


def _pieces(line: str) -> Iterator[str]:
    # Overlapping by 256, more than any token's length that the rules know.
    for at in range(0, max(1, len(line)), LINE_LIMIT - 256):
        yield line[at : at + LINE_LIMIT]


def _matches(path: str, line: str) -> Iterator[tuple[str, str]]:
    if _TOKEN.search(line):
        yield from _tokens(line)
    if not _EXAMPLE.search(path.casefold()):
        yield from _weaker(line)


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    for rule in _RULES:
        # The whole match, not its groups: some rules group only the first letters of a token.
        for expression in rule.denylist:
            yield from ((rule.secret_type, hit.group(0)) for hit in expression.finditer(line))
    for name, form in _FORMS:
        yield from ((name, hit.group(0)) for hit in form.finditer(line))
    yield from ((_TOKENS.secret_type, value) for value in _TOKENS.analyze_string(line))
    for expression in _ARTIFACTORY.denylist:
        for hit in expression.finditer(line):
            value = hit.group(0).strip(' \t"=:')
            if not value.isalpha():  # APACHEFOUNDATION has the form of a token, too
                yield _ARTIFACTORY.secret_type, value


def _weaker(line: str) -> Iterator[tuple[str, str]]:
    """Rules that know only what stands around a value; short and standing-in values are let go."""
    found = [(_LOGIN.secret_type, value) for value in _LOGIN.analyze_string(line)]
    if _KEYWORD.search(line):
        found += [(_KEYWORDS.secret_type, value) for value in _KEYWORDS.analyze_string(line)]
    for rule, value in found:
        if len(value) >= SHORTEST and " " not in value and not _PLACEHOLDER.search(value):
            yield rule, value
