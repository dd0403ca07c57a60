"""Settings that nothing was made of, each with the reason."""

from __future__ import annotations

import re

from engine.importing.ledger import Ledger
from engine.importing.report import Setting
from engine.importing.unneeded import why_unneeded

_CLIENT = re.compile(
    r"(?:(?:source|target)\.)?(?:(?:producer|consumer|admin)\.)(?:override\.)?|src\.consumer\."
)
_SCHEMAS = re.compile(
    r"(?:.*\.)?(?:schema\.registry\..*|schema\.subject\..*|schemas\.enable|basic\.auth\..*"
    r"|auto\.register\.schemas|use\.latest\.version|.*\.subject\.name\.strategy)"
)
_OF_TRANSFORMS = re.compile(r"(transforms|predicates)\b.*")


def account_for_the_rest(ledger: Ledger, setting: Setting, plain: str) -> None:
    """Say why there is no counterpart; `plain` is the key without the prefix of its cluster."""
    key = _CLIENT.sub("", plain, count=1) if _CLIENT.match(plain) else plain
    if _SCHEMAS.fullmatch(plain):
        question = (
            "ccr copies bytes as they are and has no Schema Registry settings: do readers on the"
            " target find the same schemas, by the same ids?"
        )
        ledger.decide(setting.key, question)
    elif _OF_TRANSFORMS.fullmatch(plain):
        ledger.no_counterpart(setting, "ccr changes no record")
    elif why := why_unneeded(plain) or why_unneeded(key):
        ledger.no_counterpart(setting, why)
    elif plain in ("name", "connector.class"):
        ledger.no_counterpart(setting, "it names the connector")
    else:
        text = "neither ccr nor, as far as it knows, what the file was written for reads it"
        ledger.no_counterpart(setting, text)
