"""A source that reads the firing alerts of an Alertmanager, by its API version 2.

Source: `api/v2/openapi.yaml` of Alertmanager, operation getAlerts, definitions gettableAlert and
alertStatus; `mutedBy` came with release 0.28. Alerts that are silenced, inhibited, muted,
resolved or not yet processed are left out: asked for so, and checked again here, because an
older or a proxied server may ignore what it was asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from swarm.adapters.feeds.errors import BadShape
from swarm.adapters.feeds.json_items import parsed
from swarm.adapters.feeds.mark import from_cursor
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.origin import link
from swarm.adapters.feeds.settings import AlertmanagerSettings
from swarm.adapters.feeds.web import Entry, Web, origin_for, settings_hash, tell
from swarm.core.policy.cleaning import Form
from swarm.ports.gathering import Gathering, own_id, read_line
from swarm.ports.signal_line import Bearing, refusal
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

TYPES = frozenset({"application/json"})
PATH = "/api/v2/alerts"
#: The label by which our own deployments name the mission that they came from.
MISSION_LABEL = "swarm_mission"
_MISSION = re.compile(r"m-[0-9a-f]{20}")
#: Said elsewhere in the signal, or different for every instance of one fault.
_LEFT_OUT = {"alertname", MISSION_LABEL}


class Status(BaseModel):
    """Whether an alert is firing, and what keeps it from being told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str
    silenced_by: list[str] = Field(alias="silencedBy")
    inhibited_by: list[str] = Field(alias="inhibitedBy")
    muted_by: list[str] = Field(default=[], alias="mutedBy")


class Alert(BaseModel):
    """One `gettableAlert`, as far as it is used here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str = Field(min_length=1, max_length=200)
    starts_at: AwareDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime = Field(alias="endsAt")
    status: Status
    generator_url: str = Field(default="", alias="generatorURL")

    def firing(self, now: datetime) -> bool:
        """True for an alert that people are being told about now."""
        held = self.status.silenced_by or self.status.inhibited_by or self.status.muted_by
        return self.status.state == "active" and not held and self.ends_at > now


class AlertmanagerSource:
    """Implements `ports.sources.Source` for `kind = "alertmanager"`.

    An alert is told when it begins to fire; the same alert firing again later is told again.
    """

    def __init__(
        self, settings: AlertmanagerSettings, place: Place, resolver: Resolver | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._place = place
        self._web = Web(settings, place, TYPES, resolver)
        self._of = settings_hash(settings)

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """The alerts that began to fire since the cursor. Raises a kind of SourceDown."""
        before = from_cursor(cursor, self._of)
        got = await self._web.fetch(self._url())
        alerts = await asyncio.to_thread(parsed, got)
        if not isinstance(alerts, list):
            raise BadShape("the answer is no list of alerts; is this an Alertmanager?")
        bearing = Bearing(
            origin=origin_for(self._settings, got), form=Form.PLAIN, read_at=self._place.now()
        )
        gathering = Gathering(self._settings, self._place, bearing)
        entries = await asyncio.to_thread(self._entries, alerts, gathering)
        if alerts and not entries and len(gathering.refusals.all()) >= len(alerts):
            raise BadShape(f"no alert could be read: {gathering.refusals.all()[0]}")
        # Only what fires now is remembered: an alert that ended and fires again is news.
        for reading in await asyncio.to_thread(
            tell, gathering, cursor, before, replace(before, seen=()), entries
        ):
            yield reading

    def _url(self) -> str:
        asked = [("active", "true"), ("silenced", "false"), ("inhibited", "false")]
        asked += [("unprocessed", "false")]
        asked += [("filter", matcher) for matcher in self._settings.filter]
        asked += [("receiver", self._settings.receiver)] if self._settings.receiver else []
        return f"{self._settings.url.rstrip('/')}{PATH}?{urlencode(asked)}"

    def _entries(self, alerts: list[Any], gathering: Gathering) -> list[Entry]:
        """The alerts that fire, in the order of their ids: the server's order means nothing."""
        now = self._place.now()
        found = []
        for number, raw in enumerate(alerts, start=1):
            where = f"alert {number}"
            try:
                alert = Alert.model_validate(raw)
            except ValidationError as error:
                gathering.refusals.add(refusal(where, error))
                continue
            if not alert.firing(now):
                continue
            line = read_line(where, self._statement(alert), gathering.refusals)
            if line is not None:
                since = alert.starts_at.isoformat()
                found.append(Entry(where, own_id(f"{alert.fingerprint}@{since}"), line))
        return sorted(found, key=lambda entry: entry.external_id)

    def _statement(self, alert: Alert) -> dict[str, Any]:
        name = alert.labels.get("alertname", "alert")
        notes = alert.annotations
        said = notes.get("summary") or notes.get("title") or notes.get("message") or ""
        labels = sorted(f"{k}={v}" for k, v in alert.labels.items() if k not in _LEFT_OUT)
        mission = alert.labels.get(MISSION_LABEL, "")
        grave = alert.labels.get(self._settings.severity_label, "").lower()
        rule = f"alert:{name}"[:200]
        # The value that the settings give this very alert says more than its severity.
        value = None if self._settings.rates(rule) else self._settings.severities.get(grave)
        details = (notes.get("description", ""), notes.get("runbook_url", ""), " ".join(labels))
        return {
            "title": f"{name}: {said}" if said else f"{name}: {' '.join(labels)}",
            "body": "\n".join(part for part in (said, *details) if part),
            "citation": link(self._settings.url, alert.generator_url or self._settings.url),
            "rule": rule,
            "author": "alertmanager",
            "observed_at": alert.starts_at,
            "value": value,
            "caused_by": mission if _MISSION.fullmatch(mission) else None,
        }
