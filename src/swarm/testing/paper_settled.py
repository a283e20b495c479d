"""Which endings a store on paper shows to whoever decides: as many as a real one."""

from __future__ import annotations

from swarm.core.nouns import MissionKind, OutcomeKind, Settled

_SETTLED_KEPT, _ROW_KEPT, _PROOFS_KEPT = 64, 128, 4


def remembered(settled: tuple[Settled, ...], of_class: int) -> tuple[Settled, ...]:
    """The newest endings, and of those that make or break a row of failures some more.

    And of each class the last tries to prove that it works again.
    of_class: how many of them of each class, however many of others came since.
    """
    row = [one for one in settled if one.counts_as_failure or one.outcome is OutcomeKind.DELIVERED]
    kept = {one.mission for one in (*settled[-_SETTLED_KEPT:], *row[-_ROW_KEPT:])}
    for name in {one.mission_class for one in row}:
        kept |= {one.mission for one in [o for o in row if o.mission_class == name][-of_class:]}
    proofs = [one for one in settled if one.kind is MissionKind.REQUALIFY]
    for name in {one.mission_class for one in proofs}:
        tried = [one for one in proofs if one.mission_class == name]
        kept |= {one.mission for one in tried[-_PROOFS_KEPT:]}
    return tuple(one for one in settled if one.mission in kept)
