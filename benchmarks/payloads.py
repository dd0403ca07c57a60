"""Values as an order system writes them: JSON of about 1,000 bytes, which zstd halves and more."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path
from typing import Any

DISTINCT = 20_000
ITEMS = ("kettle", "lamp", "chair", "desk", "rug", "shelf", "clock", "vase", "bowl", "mirror")
CITIES = ("Lisbon", "Oslo", "Kraków", "Lyon", "Porto", "Graz", "Turku", "Gent", "Brno", "Malmö")
STATES = ("placed", "paid", "packed", "shipped", "delivered", "returned")


def write(folder: Path) -> Path:
    """Write the payload file of ProducerPerformance, one value a line, if it is not there yet."""
    path = folder / "orders.jsonl"
    if not path.exists():
        chance = random.Random(11)  # noqa: S311 - the same values every time
        lines = (json.dumps(_order(chance), ensure_ascii=False) for _ in range(DISTINCT))
        path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _order(chance: random.Random) -> dict[str, Any]:
    def identity() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))

    return {
        "order_id": identity(),
        "customer_id": identity(),
        "state": chance.choice(STATES),
        "created_at": f"2026-11-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:00:00.000Z",
        "total_cents": chance.randint(99, 999_999),
        "currency": "EUR",
        "shipping_address": {
            "name": f"Customer {chance.randint(1, 100_000)}",
            "street": f"Harbour Street {chance.randint(1, 400)}",
            "city": chance.choice(CITIES),
            "postal_code": f"{chance.randint(10_000, 99_999)}",
        },
        "lines": [
            {
                "sku": f"SKU-{chance.randint(1, 5_000):06}",
                "item": chance.choice(ITEMS),
                "quantity": chance.randint(1, 9),
                "unit_price_cents": chance.randint(99, 49_999),
                "warehouse_id": identity(),
            }
            for _ in range(4)
        ],
    }
