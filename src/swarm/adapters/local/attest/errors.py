"""What keeps an attestation from being judged at all. Nothing here says that one is bad."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class SignatureToolMissing(Unavailable):
    """`ssh-keygen` is needed to verify or make a signature, and is not there or too old."""

    code = "SWM490"
    remedy = "Install OpenSSH 8.9 or newer, so that `ssh-keygen -Y` answers."


class TrustFileUnusable(Unavailable):
    """A configured key, allowed-signers or revocation file cannot be read or understood."""

    code = "SWM491"
    remedy = "Mend the file that the message names, or its path in swarm.toml."


class SigningFailed(Unavailable):
    """The configured signing command ended with an error or not at all."""

    code = "SWM492"
    remedy = "Run the command from the message by hand; the gate waits and tries it again."


class KeyTaken(Refused):
    """A key file to be made exists already."""

    code = "SWM493"
    remedy = "Name another file; a key is never overwritten."
