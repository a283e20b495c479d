"""pip for a Python that brings none, such as Debian's without `python3-venv`.

`fetch` leaves in a folder the one wheel that `requirements-pip.lock` names by its hash, taken from
the package index that pip itself would ask. A wheel of pip runs without being installed, so no root
and no package manager of the machine is needed.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import urllib.parse
import urllib.request
from pathlib import Path

LOCK = "requirements-pip.lock"
INDEX = "https://pypi.org/simple"  #: pip's own default
SECONDS_OF_SILENCE = 30


def fetch(folder: Path, lock: Path) -> Path:
    """The wheel in `folder`. LookupError: not what the lock names; OSError: no answer."""
    text = lock.read_text(encoding="utf-8")
    version = re.findall(r"^pip==(\S+)", text, re.MULTILINE)[0]
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))
    name = f"pip-{version}-py3-none-any.whl"
    page_address = f"{os.environ.get('PIP_INDEX_URL', INDEX).rstrip('/')}/pip/"
    page = read(page_address).decode("utf-8", "replace")
    found = re.search(rf'href="([^"#]*{re.escape(name)})[#"]', page)
    if found is None:
        raise LookupError(f"{page_address} does not offer {name}")
    wheel = read(urllib.parse.urljoin(page_address, found[1]))
    if hashlib.sha256(wheel).hexdigest() not in hashes:
        raise LookupError(f"{name} from {page_address} has a hash that {lock.name} does not name")
    path = folder / name
    path.write_bytes(wheel)
    return path


def read(address: str) -> bytes:
    """What an address holds; certificates are judged as pip would be told to."""
    trust = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
    # Whoever sets the index chooses the scheme, as with pip; the hash says what may come of it.
    with urllib.request.urlopen(  # noqa: S310
        address, timeout=SECONDS_OF_SILENCE, context=trust
    ) as answer:
        return bytes(answer.read())
