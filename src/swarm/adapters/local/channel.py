"""The owner's channel: a log that always gets everything, and a signed webhook where configured.

Both get a message once for its key. The log is written first; the webhook is tried until it
answers or the message is too old to matter, and never holds anything else up.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from swarm.adapters.local.errors import WebhookFailed
from swarm.adapters.local.journal import Journal
from swarm.adapters.local.process import environment, redact
from swarm.adapters.local.process.folder import folder_name, lock_handle
from swarm.adapters.local.webhook import Message, post
from swarm.contract.rules import Span
from swarm.core.decision import Notify
from swarm.core.evidence import Notified
from swarm.core.ids import evidence_id
from swarm.core.policy.intake_text import printable
from swarm.core.reasons import Reason
from swarm.ports.reply import Done, Later, Reply
from swarm.ports.source_settings import SettingsBlock

LOG = "log"
LARGEST_TEXT = 16 * 1024
_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(minutes=15)
_SOON = timedelta(seconds=1)
_SHORTEST_SECRET = 16
_LABEL = 63  #: characters between two dots of a host name (RFC 1035); more cannot be asked for


class ChannelSettings(SettingsBlock):
    """Where the owner hears of things, besides the log. Without a webhook, the log is all."""

    webhook: str = Field(
        default="",
        max_length=2_000,
        description="http or https address that gets each message as a signed POST.",
        examples=["https://chat.example.org/hooks/swarm"],
    )
    secret_env: str = Field(
        default="",
        pattern=rf"^$|{environment.NAME}",
        description="Environment variable with the secret that messages are signed with, of at"
        " least 16 bytes. The secret itself never stands in a file of ours.",
    )
    timeout: Annotated[timedelta, Span(least="100ms", most="1m")] = Field(
        default=timedelta(seconds=10), description="Longest time to wait for its answer."
    )
    allow_loopback: bool = Field(
        default=False, description="Whether the address may be on this machine."
    )
    give_up_after: Annotated[timedelta, Span(least="1m", most="720h")] = Field(
        default=timedelta(hours=24),
        description="A message that could not be delivered for so long stays in the log alone.",
    )

    @model_validator(mode="after")
    def _acceptable(self) -> Self:
        if not self.webhook:
            return self
        found = []
        parts = urlsplit(self.webhook)
        # Reading a port beyond 65535 raises ValueError in words.
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            found.append("webhook must begin with https:// or http:// and name a host")
        labels = (parts.hostname or "").removesuffix(".").split(".")
        if parts.hostname and not all(0 < len(label) <= _LABEL for label in labels):
            found.append(f"a part of the host has 1 to {_LABEL} characters")
        if parts.username or parts.password or parts.fragment:
            found.append("webhook must hold neither user, password nor fragment")
        if printable(self.webhook) != self.webhook or " " in self.webhook:
            found.append("webhook holds a blank or a control character")
        if not self.webhook.isascii():
            found.append("webhook must be in ASCII: the host as xn--..., other letters as %C3%A9")
        if not self.secret_env:
            found.append("secret_env must name the variable with the signing secret")
        if found:
            raise ValueError("; ".join(found))
        return self


class LocalChannel:
    """Implements `ports.hands.Channel`.

    settings: channels by the name that `spec.owner.channel` gives, whole or its last part.
    folder:   where `channel.jsonl` is kept; shared by all controllers of a machine.
    """

    def __init__(
        self,
        settings: Mapping[str, ChannelSettings],
        folder: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        secrets: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._log = Journal(folder / "channel.jsonl")
        self._delivered = Journal(folder / "channel-delivered.jsonl")
        self._now = now
        self._secrets = secrets

    async def notify(self, order: Notify) -> Reply:
        """Say one thing once. Done(Notified), by the channel or, where none is bound, the log."""
        line = {
            "at": self._now().isoformat(),
            "channel": order.channel,
            "event": order.event,
            "mission": order.mission,
            "mission_class": order.mission_class,
            "text": redact.masked(order.text[:LARGEST_TEXT]),
        }
        line = await asyncio.to_thread(self._log.add, order.key, line)
        settings = self._bound(order.channel)
        if settings is None or not settings.webhook:
            return _done(order, LOG, line["at"])
        sent = await asyncio.to_thread(self._delivered.find, order.key)
        if sent is not None:
            return _done(order, sent["channel"], sent["at"])
        lock = self._folder / f"{folder_name(order.channel)}.lock"
        held = await asyncio.to_thread(lock_handle, lock)
        if held is None:
            return Later(delay=_SOON, reason=Reason.UNAVAILABLE, detail="another message is sent")
        try:
            return await self._send(order, settings, line)
        finally:
            os.close(held)

    def _bound(self, channel: str) -> ChannelSettings | None:
        return self._settings.get(channel) or self._settings.get(channel.rpartition("/")[2])

    async def _send(
        self, order: Notify, settings: ChannelSettings, line: Mapping[str, Any]
    ) -> Reply:
        # Asked again under the lock: another controller may just have sent it.
        sent = await asyncio.to_thread(self._delivered.find, order.key)
        if sent is not None:
            return _done(order, sent["channel"], sent["at"])
        now = self._now()
        age = now - datetime.fromisoformat(line["at"])
        body = json.dumps({"schema": 1, **line}, sort_keys=True).encode()
        try:
            await post(
                settings.webhook,
                Message(key=evidence_id(order.key), body=body),
                self._secret(settings.secret_env),
                at=now,
                patience=settings.timeout,
                loopback=settings.allow_loopback,
            )
        except WebhookFailed as error:
            detail = f"webhook of {order.channel}: {printable(error.message)}"
            if age < settings.give_up_after:
                delay = min(max(age, _SHORTEST), _LONGEST)
                return Later(delay=delay, reason=Reason.UNAVAILABLE, detail=detail, capacity=True)
            return await self._record(order, {"channel": LOG, "gave_up": detail})
        return await self._record(order, {"channel": order.channel})

    def _secret(self, name: str) -> bytes:
        # The very bytes of the variable, whatever encoding they were meant in.
        secret = self._secrets.get(name, "").encode("utf-8", "surrogateescape")
        if len(secret) < _SHORTEST_SECRET:
            raise WebhookFailed(f"the variable {name} is not set or under 16 bytes")
        return secret

    async def _record(self, order: Notify, data: dict[str, Any]) -> Done:
        line = {"at": self._now().isoformat(), **data}
        line = await asyncio.to_thread(self._delivered.add, order.key, line)
        return _done(order, line["channel"], line["at"])


def _done(order: Notify, channel: str, at: str) -> Done:
    return Done(
        fact=Notified(
            id=evidence_id(order.key),
            at=datetime.fromisoformat(at),
            source="channel",
            channel=channel,
        )
    )
