"""What the installation file says about a source on the network, by kind."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from swarm.adapters.feeds.errors import EgressRefused
from swarm.adapters.feeds.guard import Egress
from swarm.contract.rules import Span
from swarm.core.policy.cleaning import Form
from swarm.ports.source_settings import ClassName, SettingsBlock, Share, SourceSettings, Value

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ENTRY = re.compile(r"(?:\[(?P<six>[0-9a-f:]+)\]|(?P<name>[a-z0-9_.-]+)):(?P<port>\d{1,5})")
_POINTER = r"^(/([^~/]|~[01])*)*$"
_HEADER = r"^[A-Za-z0-9-]{1,64}$"


def _host(text: str) -> str:
    try:
        plain = text.lower() if text.isascii() else text.encode("idna").decode().lower()
    except UnicodeError:
        plain = ""
    if not _HOST.fullmatch(plain):
        raise ValueError(f"{text[:80]!r} is no host name such as example.org or *.example.org")
    return plain


def _entry(text: str) -> str:
    found = _ENTRY.fullmatch(text.lower())
    if found is None or not 0 < int(found["port"]) < 65_536:  # noqa: PLR2004 - ports end there
        raise ValueError(f"{text[:80]!r} is no host:port such as 127.0.0.1:9093 or [::1]:9093")
    return text.lower()


Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
Entry = Annotated[str, Field(max_length=300), AfterValidator(_entry)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Pointer = Annotated[str, Field(max_length=500, pattern=_POINTER)]


class WebSettings(SourceSettings):
    """What all sources on the network have in common."""

    url: str = Field(min_length=1, max_length=4_096, description="Address to read from.")
    allow_hosts: tuple[Host, ...] = Field(
        default=(),
        max_length=50,
        description="Hosts it may be redirected to, beside its own; `*.example.org` for all below.",
    )
    allow_ports: tuple[Port, ...] = Field(
        default=(), max_length=20, description="Ports that may be contacted beside 80 and 443."
    )
    allow_http: bool = Field(
        default=False, description="Whether it may be read without encryption."
    )
    allow_internal: tuple[Entry, ...] = Field(
        default=(),
        max_length=20,
        description="Your own services as host:port. Exactly these may be on this machine or in a"
        " private network, also over http. Everything else must be on the public internet.",
        examples=[["127.0.0.1:9093"]],
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates of an authority of your own, beside the public ones.",
    )
    token_env: str = Field(
        default="",
        max_length=128,
        description="Environment variable that holds a token to send. Only to the source's own"
        " address, never after a redirect elsewhere.",
    )
    token_header: str = Field(
        default="Authorization", pattern=_HEADER, description="Header that carries the token."
    )
    token_prefix: str = Field(
        default="Bearer ", max_length=40, description="What stands before the token in the header."
    )

    @property
    def egress(self) -> Egress:
        """The rules for what this source may contact."""
        return Egress(
            hosts=frozenset((*self.allow_hosts, *_own_host(self.url))),
            internal=frozenset(_pair(entry) for entry in self.allow_internal),
            ports=frozenset(self.allow_ports),
            http=self.allow_http,
        )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        try:
            url = self.egress.check_url(self.url)
        except EgressRefused as refusal:
            name = type(refusal).__name__
            raise ValueError(f"url: {name}: {refusal.message}. {refusal.fix}") from None
        inside = (url.host, url.port or 80) in self.egress.internal
        if self.token_env and url.scheme == "http" and not inside:
            raise ValueError("token_env: a token is not sent over http; use https")
        return self


def _own_host(url: str) -> tuple[str, ...]:
    found = re.match(r"[a-z]+://(?:\[[^\]/]*\]|[^/:?#]+)", url, re.IGNORECASE)
    if found is None:
        return ()
    host = found[0].partition("://")[2].rstrip(".")
    try:
        return (_host(host),)
    except ValueError:
        return ()


def _pair(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    return host.strip("[]"), int(port)


class FeedSettings(WebSettings):
    """An RSS or Atom feed; every entry is a signal from outside."""

    kind: Literal["feed"] = Field(description="An RSS or Atom feed.")
    external: bool = Field(default=True, description="Feeds speak from outside, unless yours.")
    trust: Share = Field(default=0.4, description="How likely a single entry is true.")
    types: tuple[str, ...] = Field(
        default=(),
        max_length=10,
        description="Further content types that the server may call its feed by.",
        examples=[["text/plain"]],
    )


class FieldPointers(SettingsBlock):
    """Where in one item each part of a statement is, as JSON pointers (RFC 6901)."""

    title: Pointer = Field(description="What it is.", examples=["/title"])
    id: Pointer = Field(default="", description="The item's own id. Empty: its link, or its text.")
    body: Pointer = Field(default="", description="The whole of it.")
    link: Pointer = Field(default="", description="Where it can be looked up.")
    author: Pointer = Field(default="", description="Who said it.")
    observed_at: Pointer = Field(
        default="", description="When it was said: ISO 8601, or seconds since 1970."
    )
    updated: Pointer = Field(
        default="", description="What changes when the item does; each version is news."
    )
    rule: Pointer = Field(default="", description="Id of a rule that it is about.")


class JsonSettings(WebSettings):
    """A list of items in JSON over HTTP."""

    kind: Literal["json"] = Field(description="A list of items in JSON.")
    external: bool = Field(default=True, description="Whether it speaks from outside.")
    trust: Share = Field(default=0.5, description="How likely a single item is true.")
    items: Pointer = Field(default="", description="Where the list of items is; empty: the top.")
    fields: FieldPointers = Field(description="Where each part of a statement is in an item.")
    form: Form = Field(default=Form.MARKUP, description="How its texts are meant to be read.")
    next: Pointer = Field(
        default="", description="Where the address of the next page is; empty: one page."
    )
    max_pages: Annotated[int, Field(ge=1, le=50)] = Field(
        default=5, description="Most pages of one reading."
    )


class AlertmanagerSettings(WebSettings):
    """Firing alerts of an Alertmanager, by its API version 2."""

    kind: Literal["alertmanager"] = Field(description="An Alertmanager.")
    trust: Share = Field(default=0.9, description="How likely a firing alert is a real one.")
    mission_class: ClassName = Field(default="incident", description="Mission class of its needs.")
    filter: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(
        default=(),
        max_length=50,
        description="Matchers that an alert must meet; all of them.",
        examples=[['team="platform"']],
    )
    receiver: str = Field(
        default="", max_length=200, description="Only alerts for receivers that match this regex."
    )
    severity_label: str = Field(
        default="severity", max_length=200, description="Label that says how grave an alert is."
    )
    severities: dict[str, Value] = Field(
        default={"critical": 8.0, "error": 4.0, "warning": 1.0, "info": 0.25},
        max_length=20,
        description="Value of an alert by that label; others are worth the source's `value`.",
    )
    timeout: Annotated[timedelta, Span(least="100ms", most="6h")] = Field(
        default=timedelta(seconds=10), description="Longest time that one reading may take."
    )


FeedsSource = Annotated[
    FeedSettings | JsonSettings | AlertmanagerSettings, Field(discriminator="kind")
]
"""Every kind of source on the network; the field `kind` tells which."""
