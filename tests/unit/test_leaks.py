"""The search for secrets finds them."""

from __future__ import annotations

import base64

import pytest

from tests.leaks import SCRAM, Login, forms, leaks

LOGIN = Login("ccr", "pa&s wörd/=x1")


@pytest.mark.parametrize("form", sorted({form for form, _ in forms(LOGIN)}))
def test_every_form_is_found(form: str) -> None:
    for name, pattern in forms(LOGIN):
        if name == form:
            [*found] = leaks({"a.log": b"before" + pattern + b"after"}, [LOGIN])
            assert f"a.log: the secret of ccr (0) as {form}" in found


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_base64_is_found_wherever_it_stands(before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}{LOGIN.secret}{after}".encode())
    assert leaks({"a.log": encoded}, [LOGIN]) == ["a.log: the secret of ccr (0) as base64"]


@pytest.mark.parametrize("pattern", SCRAM)
def test_scram_is_found(pattern: bytes) -> None:
    assert leaks({"a.log": b"b'" + pattern + b"fyko'"}, []) == ["a.log: a login as SCRAM"]


def test_what_is_no_secret_is_not_found() -> None:
    assert leaks({"a.log": b"sasl.password of ccr was given", "b": b""}, [LOGIN]) == []
