"""What others named cannot steer the terminal of who reads it."""

from __future__ import annotations

import logging

from ccr_tui.cli.tables import Row, table
from engine.api.snapshots import Severity
from engine.errors import KafkaError
from engine.kafka.acl_bindings import AclBinding, Operation, Pattern, Permission, ResourceType
from engine.printable import printable
from engine.replication.events import Events
from engine.service.logs import HumanFormatter

EVIL = "a\x1b]0;pwned\x07b\r\x9b2J"
SHOWN = r"a\x1b]0;pwned\x07b\r\x9b2J"


def test_only_what_is_not_printable_changes() -> None:
    assert printable("größe orders 一 ✓") == "größe orders 一 ✓"
    assert printable("two\nlines\x1b") == "two\nlines\\x1b"
    assert printable(EVIL) == SHOWN
    assert printable("\udc80\u202e") == r"\udc80\u202e"


def test_log_lines_are_safe_to_show() -> None:
    """Whoever wrote them: libraries put brokers' words into theirs. A traceback keeps its lines."""
    record = logging.LogRecord("aiokafka", logging.ERROR, __file__, 1, "%s\nmore", (EVIL,), None)
    assert HumanFormatter().format(record).endswith(f" ERROR   {SHOWN}\nmore")


def test_errors_events_tables_and_acls_are_safe_to_show() -> None:
    error = KafkaError(EVIL, EVIL, EVIL, EVIL)
    assert str(error) == f"{SHOWN} {SHOWN}: {SHOWN}. {SHOWN}"
    events = Events()
    events.emit(Severity.INFO, EVIL, EVIL, EVIL)
    (event,) = events.since(0)
    assert (event.subject, event.text, event.next_step) == (SHOWN, SHOWN, SHOWN)
    lines = "".join(table(("group", "State"), [Row((EVIL, EVIL), (EVIL,))]))
    assert lines.isprintable()
    assert lines.count(SHOWN) == 3
    pattern = Pattern(ResourceType.GROUP, EVIL)
    assert str(pattern) == f"group {SHOWN}"
    binding = AclBinding(pattern, EVIL, EVIL, Operation.READ, Permission.ALLOW)
    assert str(binding) == f"ALLOW READ for {SHOWN} from {SHOWN}"
