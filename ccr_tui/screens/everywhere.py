"""All places of the console, in the order of their keys."""

from __future__ import annotations

from ccr_tui.places import Place
from ccr_tui.screens.cluster.place import PLACE as CLUSTER
from ccr_tui.screens.cluster_form.place import PLACE as CLUSTER_FORM
from ccr_tui.screens.clusters.place import PLACE as CLUSTERS
from ccr_tui.screens.events.place import PLACE as EVENTS
from ccr_tui.screens.flow_editor.place import PLACE as FLOW_EDITOR
from ccr_tui.screens.groups.place import PLACE as GROUPS
from ccr_tui.screens.lag.place import PLACE as LAG
from ccr_tui.screens.log.place import PLACE as LOG
from ccr_tui.screens.loss.place import PLACE as LOSS
from ccr_tui.screens.overview.place import PLACE as OVERVIEW
from ccr_tui.screens.runbook.place import PLACE as RUNBOOK

PLACES: tuple[Place, ...] = (
    OVERVIEW,
    LAG,
    GROUPS,
    LOSS,
    CLUSTERS,
    CLUSTER,
    FLOW_EDITOR,
    EVENTS,
    LOG,
    RUNBOOK,
    CLUSTER_FORM,
)


def place_named(place_id: str) -> Place:
    """Return a place by its id."""
    return next(place for place in PLACES if place.id == place_id)
