"""What the demo's records say: made up from a seed, so that a run can be repeated.

Every record carries its number in its partition, in the value or, where the value is null, in a
header: no two are the same, so whatever happens to one on its way can be proven. The rest of a
value is drawn from a pool made at the start; making a record then takes a microsecond or two.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SEQUENCE_HEADER = "demo-sequence"
POOL = 2_000

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Content:
    """One record to be sent."""

    value: bytes | None
    headers: Headers = ()

    def size(self, key: bytes) -> int:
        """Return the bytes of key, value and headers."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(key) + len(self.value or b"") + headers


class Generator(Protocol):
    """Makes the records of one topic."""

    def key(self) -> bytes:
        """Choose whom the next record is about."""
        ...

    def content(self, sequence: int) -> Content:
        """Make the record that is number `sequence` of its partition."""
        ...


class Clicks:
    """Tiny events of a shop's visitors: some thirty bytes, now and then a header."""

    _ACTIONS = ("view", "view", "view", "search", "add-to-cart", "remove-from-cart", "checkout")
    _HEADERS: Headers = (("experiment", b"B"),)

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"clicks {seed}")  # noqa: S311 - repeatable, not secret
        self._pool = [
            f" {self._random.choice(self._ACTIONS)} /item/{self._random.randrange(9_000)}".encode()
            for _ in range(POOL)
        ]

    def key(self) -> bytes:
        """Choose a visitor."""
        return b"visitor-%05d" % int(self._random.random() * 20_000)

    def content(self, sequence: int) -> Content:
        """Make one event."""
        at = int(self._random.random() * POOL)
        return Content(b"%d%b" % (sequence, self._pool[at]), () if at % 20 else self._HEADERS)


class Orders:
    """Orders as JSON, half with trace headers; cancelled ones become null.

    A few hundred bytes each, of which `receipt_bytes` do not compress.
    """

    _ITEMS = ("kettle", "lamp", "chair", "desk", "rug", "shelf", "clock", "vase", "bowl", "mirror")
    _CITIES = (
        "Lisbon",
        "Oslo",
        "Kraków",
        "Lyon",
        "Porto",
        "Graz",
        "Turku",
        "Gent",
        "Brno",
        "Malmö",
    )
    _STATES = ("placed", "paid", "packed", "shipped", "delivered")

    def __init__(self, seed: int, receipt_bytes: int = 64) -> None:
        self._random = random.Random(f"orders {seed}")  # noqa: S311 - repeatable, not secret
        self._receipt_bytes = receipt_bytes
        self._pool = [self._order() for _ in range(POOL)]

    def _order(self) -> bytes:
        chance = self._random
        items = [chance.choice(self._ITEMS) for _ in range(chance.randint(1, 4))]
        prices = [chance.randint(99, 49_999) for _ in items]
        order = {
            "state": chance.choice(self._STATES),
            "city": chance.choice(self._CITIES),
            "lines": [{"item": i, "cents": c} for i, c in zip(items, prices, strict=True)],
            "total_cents": sum(prices),
            "receipt": chance.randbytes(self._receipt_bytes // 2).hex(),
        }
        return json.dumps(order, ensure_ascii=False).encode()[1:]

    def key(self) -> bytes:
        """Choose an order."""
        return b"order-%05d" % int(self._random.random() * 50_000)

    def content(self, sequence: int) -> Content:
        """Make one state of an order."""
        at = int(self._random.random() * POOL)
        if at % 32 == 0:
            return Content(None, ((SEQUENCE_HEADER, b"%d" % sequence), ("reason", b"cancelled")))
        trace: Headers = ()
        if at % 2:
            trace = (("trace-id", b"%032x" % self._random.getrandbits(128)), ("tenant", None))
        return Content(b'{"sequence": %d, %b' % (sequence, self._pool[at]), trace)


class Readings:
    """What gateways upload: measurements, eight bytes a sample, many records in a row."""

    _UNITS = ("temperature", "humidity", "pressure", "vibration", "current")
    _HEADERS: Headers = (("schema", b"readings/3"),)

    def __init__(self, seed: int, samples: int = 12) -> None:
        self._random = random.Random(f"readings {seed}")  # noqa: S311 - repeatable, not secret
        self._samples = samples
        self._pool = [self._reading() for _ in range(POOL)]

    def _reading(self) -> bytes:
        chance = self._random.random
        samples = {
            unit: [round(100 * chance(), 3) for _ in range(self._samples)] for unit in self._UNITS
        }
        return json.dumps({"samples": samples}).encode()[1:]

    def key(self) -> bytes:
        """Choose a gateway."""
        return b"gateway-%03d" % int(self._random.random() * 200)

    def content(self, sequence: int) -> Content:
        """Make one reading."""
        samples = self._pool[int(self._random.random() * POOL)]
        return Content(b'{"sequence": %d, %b' % (sequence, samples), self._HEADERS)
