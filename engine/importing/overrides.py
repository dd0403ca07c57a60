"""Settings that several clients of one cluster have: ccr has one connection for all of them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.importing.ledger import Ledger
from engine.importing.report import Setting


class Overrides:
    """Chooses one of the settings that say the same thing for different clients."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def first(self, own: Iterable[str], common: Iterable[str] = ()) -> Setting | None:
        """Return the first that is there, of a cluster's `own` before what all have in `common`.

        The cluster's others are accounted for: as taken where they say the same.
        """
        found = [each for key in own if (each := self._ledger.get(key))]
        if not found:
            return self._ledger.get(*common)
        chosen, *others = found
        for other in others:
            if other.value.strip() == chosen.value.strip():
                self._ledger.taken(other, "", f"as {chosen.key}, which says the same")
            else:
                question = (
                    f"says something else than {chosen.key}, which ccr takes: it connects to a"
                    " cluster in one way only"
                )
                self._ledger.decide(other.key, question)
        return chosen
