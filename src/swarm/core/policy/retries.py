"""How often an agent may try again (LOOP-7, FAIL-1). Capacity trouble is no attempt."""

from __future__ import annotations

FIXES_MAX = 3  #: fix attempts after the first run; the document's N


def may_fix(runs_ended: int) -> bool:
    """True while another fix attempt is allowed; the first run is attempt 0."""
    return runs_ended <= FIXES_MAX
