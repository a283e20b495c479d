"""What the contract's tests share: the document's manifests, and a model of the API server."""

import copy
import re
from pathlib import Path

import cel
import pytest
from jsonschema import Draft202012Validator

from swarm.contract.crd import render_crd

DATA = Path(__file__).parent / "data"
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@pytest.fixture
def manifest():
    """Reads one of the manifests in `data/` by name."""

    def read(name: str) -> str:
        return (DATA / f"{name}.yaml").read_text("utf-8")

    return read


@pytest.fixture
def good():
    """The smallest object that is a Swarm, made anew for each test."""
    return {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": "orders"},
        "spec": {
            "owner": {"id": "platform-owner", "channel": "swarm://owner/platform"},
            "domains": ["platform-reliability"],
            "objectives": ["keep the order service fast"],
            "mode": "assisted",
        },
    }


class ServerModel:
    """What an API server does with an object under our CRD, in its order: it prunes unknown
    fields and nulls, fills in defaults, then checks structure, list types and CEL rules.

    It knows nothing but the rendered CRD. It is no API server: that one is asked in the tests of
    the Kubernetes installation, where a real server receives the same CRD and the same objects.
    """

    def __init__(self) -> None:
        (version,) = render_crd()["spec"]["versions"]
        self.schema = version["schema"]["openAPIV3Schema"]
        self._structure = Draft202012Validator(_python_patterns(self.schema))
        self._programs = {}

    def admit(self, written):
        """The reasons for which the object is refused; none when it is accepted."""
        tree = self.defaulted(written)
        name = tree.get("metadata", {}).get("name")
        if not isinstance(name, str) or not _SUBDOMAIN.fullmatch(name):
            return ["metadata.name: not a DNS subdomain"]
        reasons = [error.message for error in self._structure.iter_errors(tree)]
        # The server skips CEL rules on values whose structure it refused, and so do we.
        return reasons or list(self._broken_rules(self.schema, tree, "$"))

    def defaulted(self, written):
        """The object as it is stored."""
        return self._fill(self.schema, copy.deepcopy(written))

    def _fill(self, schema, value):
        if isinstance(value, list) and "items" in schema:
            return [self._fill(schema["items"], item) for item in value]
        if not isinstance(value, dict) or "properties" not in schema:
            return value
        fields = schema["properties"]
        kept = {k: v for k, v in value.items() if k in fields and v is not None}
        for name, below in fields.items():
            if name not in kept and "default" in below:
                kept[name] = copy.deepcopy(below["default"])
        return {name: self._fill(fields[name], part) for name, part in kept.items()}

    def _broken_rules(self, schema, value, path):
        for rule in schema.get("x-kubernetes-validations", ()):
            if not self._holds(rule["rule"], value):
                yield f"{path}: {rule['message']}"
        if isinstance(value, dict):
            for name, below in schema.get("properties", {}).items():
                if name in value:
                    yield from self._broken_rules(below, value[name], f"{path}.{name}")
        if isinstance(value, list):
            yield from _duplicates(schema, value, path)
            for position, item in enumerate(value):
                yield from self._broken_rules(schema["items"], item, f"{path}[{position}]")

    def _holds(self, rule, value):
        if rule not in self._programs:
            self._programs[rule] = cel.compile(rule)
        try:
            return self._programs[rule].execute({"self": value}) is True
        except ValueError:
            return False  # an expression that cannot be evaluated refuses the object


def _duplicates(schema, items, path):
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") not in {"set", "map"}:
        return
    seen = [tuple(item[key] for key in keys) if keys else item for item in items]
    if len(set(seen)) != len(seen):
        yield f"{path}: an entry comes twice"


def _python_patterns(schema):
    """In Go `$` is the end of the text; in Python it would let one line break follow."""
    if isinstance(schema, list):
        return [_python_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _python_patterns(value) for key, value in schema.items()}
    if isinstance(made.get("pattern"), str):
        made["pattern"] = re.sub(r"\$$", r"\\Z", made["pattern"])
    return made


@pytest.fixture(scope="session")
def server():
    return ServerModel()
