"""What goes over the control socket about Kafka Connect, made of ConnectApi itself.

A method's arguments are the request's body and its answer is the response, so that protocol, client
and server cannot drift apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, create_model

from engine.api.connect_protocol import ConnectApi
from engine.service.codec import Body


@dataclass(frozen=True, slots=True)
class Call:
    """One method."""

    body: type[Body]
    answer: TypeAdapter[Any]


def _call(name: str, method: Any) -> Call:
    hints = get_type_hints(method)
    fields: dict[str, Any] = {
        parameter.name: (
            hints[parameter.name],
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(method).parameters.values()
        if parameter.name != "self"
    }
    body = create_model(f"{name.title()}Body", __base__=Body, **fields)
    return Call(body, TypeAdapter(hints["return"]))


CALLS: Mapping[str, Call] = {
    name: _call(name, method)
    for name, method in vars(ConnectApi).items()
    if inspect.isfunction(method) and not name.startswith("_")
}
"""The namespace's methods by name."""
