"""The errors that people see.

CcrError
├── ConfigError        the configuration or the command line is wrong        exit 2
├── ConnectError       a cluster (or a service's socket) cannot be reached   exit 3
├── RefusedError       the act is not allowed in the present state           exit 1
├── KafkaError         a broker refused or failed an operation               exit 1
└── SandboxError       local Kafka could not be set up or run                exit 1

Each says what was done (operation), to what (object), why it failed (cause) and what to do
(next_step). Whether trying again can help is a property of the error, not of the call site.
"""

from __future__ import annotations

from enum import IntEnum

from engine.printable import printable


class ExitCode(IntEnum):
    """What a `ccr` process answers with (design, section 11)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CANNOT_CONNECT = 3
    INTERRUPTED = 130


class CcrError(Exception):
    """An expected failure, told in one sentence and a next step."""

    exit_code = ExitCode.FAILED
    retriable = False

    def __init__(
        self,
        operation: str,
        obj: str,
        cause: str,
        next_step: str = "",
        *,
        retriable: bool | None = None,
    ) -> None:
        super().__init__(operation, obj, cause, next_step)
        self.operation = printable(operation)
        self.object = printable(obj)
        self.cause = printable(cause)
        self.next_step = printable(next_step)
        if retriable is not None:
            self.retriable = retriable

    def __str__(self) -> str:
        subject = f"{self.operation} {self.object}".strip()
        sentence = f"{subject}: {self.cause}" if subject else self.cause
        if not self.next_step:
            return sentence
        return f"{sentence.rstrip('.')}. {self.next_step}"


class ConfigError(CcrError):
    """The configuration file or the command line is wrong; nothing was changed."""

    exit_code = ExitCode.USAGE


class ConnectError(CcrError):
    """A cluster, or a running service's socket, cannot be reached or refused the credentials."""

    exit_code = ExitCode.CANNOT_CONNECT
    retriable = True


class RefusedError(CcrError):
    """The act is not allowed in the present state (read-only, unknown flow, not the owner)."""


class KafkaError(CcrError):
    """A broker refused or failed one operation."""


class SandboxError(CcrError):
    """Local Kafka could not be set up or run."""
