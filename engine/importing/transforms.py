"""Converters and transforms: Connect takes records apart and changes them; ccr never does."""

from __future__ import annotations

from collections.abc import Mapping

from engine.importing import values
from engine.importing.drafts import FlowDraft
from engine.importing.ledger import Ledger
from engine.importing.report import Setting

_CONVERTERS = ("key.converter", "value.converter", "header.converter")


def refuse_changes(ledger: Ledger, flow: FlowDraft, settings: Mapping[str, Setting]) -> None:
    """Account for what would change records; a flow that must change them is not made."""
    transforms = settings.get("transforms")
    if transforms and values.listed(transforms.value):
        names = ", ".join(values.listed(transforms.value))
        question = f"ccr changes no record: can the target do without {names}?"
        ledger.decide(transforms.key, question)
        flow.blocked.append(f"records would not be changed by {names} any more")
    elif transforms:
        ledger.taken(transforms, "", "none, as always with ccr")
    for key, setting in settings.items():
        if key.removeprefix("src.") in _CONVERTERS:
            _converter(ledger, setting)


def _converter(ledger: Ledger, setting: Setting) -> None:
    name = setting.value.strip().rpartition(".")[2]
    if name in ("", "ByteArrayConverter"):
        ledger.taken(setting, "", "bytes are copied as they are, as always with ccr")
        return
    question = (
        f"{name} reads records and writes them anew; ccr copies bytes as they are: do readers on"
        " the target find the same schemas, by the same ids?"
    )
    ledger.decide(setting.key, question)
