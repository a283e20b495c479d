"""`metadata`: what identifies a Swarm. The API server owns this block; we restate its rules."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from swarm.contract.block import NAME_PATTERN, Block, Name
from swarm.contract.rules import Fault

NAME_MAX = 52
"""Characters of a Swarm's name: children append up to 11 more and must fit in 63."""

PROFILE_ANNOTATION = "swarm.proompteng.ai/profile"

# Written by the API server or by tools into an object that is read back; none of it is policy.
_SERVER_OWNED = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
    }
)

_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_KEY_MAX = 317  # 253 for the prefix, 63 for the name, and the slash
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"


def _check_keys(notes: dict[str, str]) -> dict[str, str]:
    for key in notes:
        if len(key) > _KEY_MAX or not _KEY.fullmatch(key):
            right = "write a name such as team or example.com/team"
            raise Fault(at=(key,), wrong=f"{key!r} is no label key", right=right).error()
    return notes


_KEYS = AfterValidator(_check_keys)


class ObjectMeta(Block):
    """What identifies a Swarm."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN)] = Field(
        description="Name of the Swarm, unique in its namespace.", examples=["orders-service"]
    )
    namespace: Name = Field(
        default="default", description="Namespace of the Swarm; `default` when left out."
    )
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63, pattern=_LABEL_VALUE)]],
        Field(max_length=64),
        _KEYS,
    ] = Field(default_factory=dict, description="Labels, for selection by tools.")
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=262_144)]], Field(max_length=64), _KEYS
    ] = Field(
        default_factory=dict,
        description=f"Notes for tools and people; `{PROFILE_ANNOTATION}` names a profile.",
    )
    uid: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Identity given by the API server; absent in a manifest."
    )
    generation: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="Counts changes of the spec; absent in a manifest."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_server_fields(cls, data: Any) -> Any:
        """Leave out what the API server wrote, so that `kubectl get -o yaml` can be read back."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if key not in _SERVER_OWNED}
