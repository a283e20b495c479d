"""A reading of a citation as an in-toto statement, for whoever audits with tools of his own.

Source: in-toto Attestation Framework, Statement v1; the predicate type is ours and describes one
fetch: what was asked for, what came, which pieces of the claim were found in it, and by whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm import __version__

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://swarm.proompteng.ai/evidence/v1"
_TEXT = {"name": "swarm.core.policy.excerpts", "version": "1"}


def statement(read: Mapping[str, Any]) -> dict[str, Any]:
    """The statement of one `citation-read` fact, as it is stored. Its subject: the bytes received.

    A citation that is gone has no bytes; its subject is named and has the digest of nothing.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": read["citation"], "digest": {"sha256": read["sha256"] or _NOTHING}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "requestedUrl": read["citation"],
            "finalUrl": read["where"],
            "redirects": list(read["redirects"]),
            "status": "gone" if read["gone"] else "claims" if read["claims"] else "differs",
            "mediaType": read["media_type"],
            "retrievedAt": read["at"],
            "registrableDomain": read["origin"],
            "trustTier": read["tier"],
            "extractor": _TEXT,
            "textSha256": read["text_sha256"],
            "excerpts": [dict(piece) for piece in read["excerpts"]],
            "flags": list(read["flags"]),
            "fetcher": {"id": f"swarmctl/{read['source']}", "version": __version__},
        },
    }


_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
