"""Everything that can go wrong between us and a source on the network.

Two kinds that are never mixed: what our own rules forbid (`EgressRefused`), and what could not be
asked or answered nonsense (`SourceDown`). A source hands both on as `SourceDown`.
"""

from __future__ import annotations

from datetime import timedelta

from swarm.contract.errors import Refused, SourceDown


class EgressRefused(Refused):
    """Our rules for outgoing requests forbid this one. Nothing was sent."""

    code = "SWM500"
    remedy = "Change the source's address, or allow exactly this in its settings."


class BlockedUrl(EgressRefused):
    """An address that cannot be read with certainty, or that carries a password."""

    code = "SWM501"
    remedy = "Write a plain absolute address such as https://example.org/feed.xml."


class BlockedScheme(EgressRefused):
    """Only https is fetched; http only where the settings say so."""

    code = "SWM502"
    remedy = "Use https, or set `allow_http = true` for a source that has nothing else."


class BlockedPort(EgressRefused):
    """Only ports 80 and 443 are contacted, unless the settings name another."""

    code = "SWM503"
    remedy = "Name the port in `allow_ports`, or host and port in `allow_internal`."


class BlockedHost(EgressRefused):
    """A host that this source may not contact."""

    code = "SWM504"
    remedy = "Add the host to the source's `allow_hosts` if it belongs to the source."


class BlockedAddress(EgressRefused):
    """The host is, or resolves to, an address that is not on the public internet."""

    code = "SWM505"
    remedy = "If this is your own service, name it as host:port in `allow_internal`."


class TooManyRedirects(EgressRefused):
    """The answer is further away than five redirects."""

    code = "SWM506"
    remedy = "Enter the address where the redirects end."


class SecretMissing(EgressRefused):
    """The secret that the settings name has no value here."""

    code = "SWM507"
    remedy = "Set the environment variable that the message names, and start again."


class SourceRefused(SourceDown):
    """A source was not read because our own rules forbid the request."""

    code = "SWM510"
    remedy = "The message names the rule; change the source's settings accordingly."


class HostNotFound(SourceDown):
    """The host's name has no address."""

    code = "SWM511"
    remedy = "Check the spelling of the host, and that this machine can resolve names."


class HostUnreachable(SourceDown):
    """No connection, a broken one, or one whose certificate is not valid."""

    code = "SWM512"
    remedy = "Check that the service runs; for an own certificate authority set `ca_file`."


class TooSlow(SourceDown):
    """The answer was not complete in time."""

    code = "SWM513"
    remedy = "Raise the source's `timeout`, or ask for less."


class TooLarge(SourceDown):
    """The answer is larger than allowed, before or after decompression."""

    code = "SWM514"
    remedy = "Raise the source's `max_bytes`, or ask for less."


class WrongContentType(SourceDown):
    """The answer is not of a type that this source can be."""

    code = "SWM515"
    remedy = "Check the address: an HTML page instead of data usually means that the API moved."


class BadEncoding(SourceDown):
    """The answer is compressed in a way that was not asked for, or is damaged."""

    code = "SWM516"
    remedy = "Have the server answer with gzip or without compression."


class BadStatus(SourceDown):
    """The server answered with an error.

    retry_after: how long it asked us to stay away; None if it did not say.
    """

    code = "SWM517"
    remedy = "Look the status up; 401 and 403 ask for a token, 404 and 410 for another address."

    def __init__(
        self, message: str, *, status: int = 0, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class DoctypeForbidden(SourceDown):
    """An XML answer declares a document type, which is how entity bombs are built."""

    code = "SWM518"
    remedy = "Feeds need no DOCTYPE; ask the publisher to remove it, or use another feed."


class BadShape(SourceDown):
    """The answer is well-formed, but not what such a source answers: it may have changed."""

    code = "SWM519"
    remedy = "Compare the answer with the settings (`swarmctl source test NAME` prints it)."


class Unparsable(SourceDown):
    """The answer is not a feed, or not JSON, or reading it took too much."""

    code = "SWM520"
    remedy = "Open the address in a browser and compare; the source's kind may be wrong."
