"""The part of `ccr preview` about ACLs."""

from __future__ import annotations

from collections.abc import Iterator

from ccr_tui.cli.tables import indented
from engine.api.acl_snapshots import AclPreview, AclVerdict
from engine.service import wording

_SHOWN = 10  # of each verdict, unless all are asked for


def acl_lines(preview: AclPreview, *, everything: bool) -> Iterator[str]:
    """Word it in lines of 80 columns: how many of each verdict, then the first of each."""
    totals = {
        AclVerdict.CREATE: preview.create,
        AclVerdict.REMOVE: preview.remove,
        AclVerdict.WITHHOLD: preview.withhold,
        AclVerdict.LEAVE: preview.leave,
    }
    yield "ACLs"
    counts = (f"{verdict} {wording.count(total)}" for verdict, total in totals.items() if total)
    yield from indented(", ".join(counts) or "nothing to do")
    for verdict, total in totals.items():
        rows = [row for row in preview.rows if row.verdict == verdict]
        shown = rows if everything else rows[:_SHOWN]
        for row in shown:
            why = f" ({row.why})" if row.why else ""
            yield from indented(f"{verdict}: {row.object}: {row.text}{why}")
        rest = total - len(shown)
        if rest:
            yield from indented(f"{verdict}: … and {wording.count(rest)} more")
