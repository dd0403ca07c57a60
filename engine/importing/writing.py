"""The imported configuration as YAML, with what is still to be decided as comments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePath

from engine.config.editing.differences import intended
from engine.config.editing.editor import new_text
from engine.config.editing.edits import Put
from engine.importing.report import Imported, Outcome
from engine.printable import printable

_WIDTH = 98


def yaml_text(imported: Imported, sets: Iterable[Put] = ()) -> str:
    """Write the configuration, with `sets` put in; raises ConfigError when one makes no sense."""
    sets = list(sets)
    data = intended(imported.data, sets, PurePath(imported.name).name)
    head = "\n".join(_comment(_head(imported, {".".join(put.path) for put in sets})))
    body = new_text(data)
    left_out = "".join(_left_out(imported))
    return f"{head}\n\n{body}{left_out}"


def _head(imported: Imported, decided: Collection[str]) -> Iterator[str]:
    name = PurePath(imported.name).name
    yield f"Imported from {name} ({imported.kind}) by `ccr import`. Check it with `ccr validate`."
    for each in imported.keys:
        if each.outcome in (Outcome.DECISION, Outcome.REFUSED) and not _is_in(each.into, decided):
            where = f" ({each.into})" if each.into else ""
            yield f"To decide: {each.key}{where}: {each.text}"
    for secret in imported.secrets:
        if not _is_in(".".join(secret.path), decided):
            yield f"Needs the secret {secret.reference}"


def _is_in(places: str, decided: Collection[str]) -> bool:
    """Whether all of these places were put in anew."""
    return all(
        any(f"{place}.".startswith(f"{each}.") for each in decided) for place in places.split(", ")
    )


def _left_out(imported: Imported) -> Iterator[str]:
    for flow in imported.left_out:
        lines = new_text({"flows": {flow.name: flow.data}}).splitlines()
        if "flows" in imported.data:
            lines = lines[1:]
        reasons = [f"Left out, for you to decide: {reason}" for reason in flow.reasons]
        yield "\n" + "\n".join([*_comment(reasons), *(f"#{line}" for line in lines)]) + "\n"


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        words, text = printable(line).split(), "#"
        for word in words:
            if len(text) + 1 + len(word) > _WIDTH and text.strip("# "):
                yield text
                text = "#  "
            text += f" {word}"
        yield text
