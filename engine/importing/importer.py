"""From a file of MirrorMaker 2 or Replicator to a valid configuration of ours, and a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from engine.importing import files
from engine.importing.drafts import FlowDraft, SecretBox
from engine.importing.files import SourceFile
from engine.importing.ledger import Ledger
from engine.importing.mirror_connector import MirrorConnectorFile
from engine.importing.mirror_maker import MirrorMakerFile
from engine.importing.replicator import ReplicatorFile
from engine.importing.report import Imported, Kind, LeftOut

_NOT_JSON = (
    "Connect's REST interface takes JSON: a properties file cannot be posted to it. With {tool} it"
    " works as it is"
)


class _Reader(Protocol):
    clusters: dict[str, dict[str, object]]
    flows: list[FlowDraft]

    def read(self) -> None: ...


_READERS: dict[Kind, Callable[[Ledger, SecretBox], _Reader]] = {
    Kind.MIRROR_MAKER: MirrorMakerFile,
    Kind.MIRROR_CONNECTOR: MirrorConnectorFile,
    Kind.REPLICATOR: ReplicatorFile,
}


def import_file(path: Path) -> Imported:
    """Import a file; raises ConfigError when it cannot be read or is nothing that we know."""
    return import_settings(files.read(path))


def import_settings(source: SourceFile) -> Imported:
    """Import the settings of a file."""
    ledger = Ledger(source.settings)
    _about_the_file(ledger, source)
    secrets = SecretBox(ledger)
    reader = _READERS[source.kind](ledger, secrets)
    reader.read()
    data: dict[str, Any] = {"version": 1, "clusters": reader.clusters}
    made = {flow.name: flow.data() for flow in reader.flows if not flow.blocked}
    if made:
        data["flows"] = made
    left_out = []
    for flow in reader.flows:
        if flow.blocked:
            reasons = tuple(dict.fromkeys(flow.blocked))
            left_out.append(LeftOut(flow.name, flow.data(), reasons))
            question = f"{'; '.join(reasons)}: so the flow stands as a comment until you decide"
            ledger.decide(f"flow {flow.name}", question, f"flows.{flow.name}")
    return Imported(
        source.kind,
        source.name,
        data,
        tuple(left_out),
        tuple(ledger.reports()),
        tuple(secrets.found),
    )


def _about_the_file(ledger: Ledger, source: SourceFile) -> None:
    class_name = ledger.get("connector.class")
    if class_name is not None:
        ledger.taken(class_name, "", f"the file is for {source.kind}")
    if not source.is_json:
        is_mm2 = source.kind is Kind.MIRROR_MAKER
        tool = "connect-mirror-maker.sh" if is_mm2 else "connect-standalone"
        ledger.note("the file", _NOT_JSON.format(tool=tool))
    if source.is_utf8:
        question = (
            "it has characters beyond ASCII in UTF-8, but Kafka reads such files as Latin-1, and so"
            " does ccr: what is in them looks and works as it did there"
        )
        ledger.decide("the file's encoding", question)
