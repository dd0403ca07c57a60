"""Connection tests of the scripted engine: what was tested, and how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import ConnectionTest, StepName, StepState, TestStep
from engine.errors import CcrError

GOOD = (
    TestStep(StepName.RESOLVE, StepState.OK, 0.002, ("eu-1 is 10.0.0.1",)),
    TestStep(StepName.CONNECT, StepState.OK, 0.01, ()),
    TestStep(StepName.TLS, StepState.SKIPPED),
    TestStep(StepName.LOGIN, StepState.OK, 0.02, ("as ccr, by SCRAM-SHA-256",)),
)
WRONG_PASSWORD = (
    *GOOD[:3],
    TestStep(
        StepName.LOGIN, StepState.FAILED, 0.03, (), "the broker refuses the login of ccr",
        "Is the password right?",
    ),
    TestStep(StepName.METADATA, StepState.NOT_REACHED),
)  # fmt: skip


class ScriptedConnections:
    """Each test is under way once, then done as `steps` says."""

    def __init__(self) -> None:
        self.steps: tuple[TestStep, ...] = GOOD
        self.error: CcrError | None = None
        self.tested: list[
            tuple[str, Mapping[str, JsonValue] | None, Mapping[str, SecretStr] | None]
        ] = []

    def begin(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None,
        secrets: Mapping[str, SecretStr] | None,
    ) -> ConnectionTest:
        if self.error is not None:
            raise self.error
        self.tested.append((name, section, secrets))
        waiting = tuple(TestStep(step.name) for step in self.steps)
        return ConnectionTest(len(self.tested), name, 1.0, False, waiting)

    def look(self, number: int) -> ConnectionTest:
        begun = ConnectionTest(number, self.tested[number - 1][0], 1.0, False, self.steps)
        return replace(begun, done=True)
