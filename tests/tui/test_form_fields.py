"""Fields of forms: what they are made of, and what they make of what is typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue, SecretStr
from textual.app import App, ComposeResult

from ccr_tui.screens.editing.screen import EditingScreen
from ccr_tui.widgets.form import values
from ccr_tui.widgets.form.book import FieldBook
from ccr_tui.widgets.form.controls import ChoiceControl, Edited
from ccr_tui.widgets.form.rows import FieldRow, SecretRow, row_for
from ccr_tui.widgets.form.specs import FieldSpec, Kind, fields_of
from engine.config.cluster_section import ClusterConfig
from engine.config.fields import Model
from engine.config.flow_section import FlowConfig

SECTIONS: list[type[Model]] = [ClusterConfig, FlowConfig]
SPECS = {spec.key: spec for section in SECTIONS for spec in fields_of(section)}


@pytest.mark.parametrize("key", SPECS)
def test_every_field_says_what_it_is_for(key: str) -> None:
    assert len(SPECS[key].help) > 10


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("bootstrap_servers", Kind.LINES, ""),
        ("security_protocol", Kind.CHOICE, "PLAINTEXT"),
        ("sasl.password", Kind.SECRET, ""),
        ("tls.verify_hostname", Kind.BOOL, "yes"),
        ("topics.include", Kind.LINES, ".*"),
        ("start", Kind.START, "earliest"),
        ("replication_factor", Kind.NUMBER, ""),
        ("checkpoint_interval", Kind.TIME, "1s"),
        ("acls.interval", Kind.TIME, "1min"),
        ("limits.buffer_bytes", Kind.SIZE, "32MiB"),
        ("limits.topics", Kind.PAIRS, "none"),
        ("configs.pinned", Kind.PINNED, "none"),
        ("mm2.heartbeats", Kind.CHOICE, ""),
        ("isolation", Kind.CHOICE, "read_committed"),
    ],
)
def test_the_model_tells_how_a_field_is_filled_in(key: str, kind: Kind, default: str) -> None:
    assert (SPECS[key].kind, SPECS[key].default) == (kind, default)


def test_what_must_be_given() -> None:
    assert {key for key, spec in SPECS.items() if spec.required} == {
        "bootstrap_servers",
        "sasl.mechanism",
        "source",
        "target",
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("bootstrap_servers", " a:1 \n\nb:2\n", ["a:1", "b:2"]),
        ("bootstrap_servers", " \n", None),
        ("sasl.username", " ccr ", "ccr"),
        ("sasl.username", "  ", None),
        ("security_protocol", "SSL", "SSL"),
        ("security_protocol", "PLAINTEXT", None),
        ("tls.verify_hostname", "no", False),
        ("tls.verify_hostname", "yes", None),
        ("sync.acls", "yes", True),
        ("replication_factor", "3", 3),
        ("replication_factor", "three", "three"),
        ("topic_refresh", "500ms", "500ms"),
        ("topic_refresh", "30", 30),
        ("limits.buffer_bytes", "64MiB", "64MiB"),
        ("limits.topics", "orders\\..*: 10MiB\n.*: 1MiB", {"orders\\..*": "10MiB", ".*": "1MiB"}),
        ("acls.principals", r"User:(.*)@east: User:\1@west", {"User:(.*)@east": r"User:\1@west"}),
        (
            "configs.pinned",
            "a.*: cleanup.policy=compact,delete\na.*: retention.ms=1",
            {"a.*": {"cleanup.policy": "compact,delete", "retention.ms": "1"}},
        ),
        ("start", "latest", "latest"),
        ("start", "42", {"offset": 42}),
        ("start", "2026-11-01T00:00:00Z", {"timestamp": "2026-11-01T00:00:00Z"}),
        ("mm2.heartbeats", "both", "both"),
    ],
)
async def test_what_is_typed_becomes_the_files_value(key: str, text: str, value: JsonValue) -> None:
    async with App().run_test():
        row = row_for(SPECS[key])
        row.control.text = text
        assert row.value() == value
        if value is not None:
            shown = row_for(SPECS[key])
            shown.load(value)
            shown.control.text += ""
            assert shown.value() == value, "and comes back as it was"


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("limits.topics", "orders 10MiB", "line 1 must be KEY: VALUE"),
        ("limits.topics", ".*: 1MiB\n.*: 2MiB", "line 2 has a key that was there before"),
        ("configs.pinned", "\na.*: retention.ms", "line 2 must be REGEX: config=value"),
        ("start", "tomorrow", "must be earliest, latest, a time such as"),
    ],
)
async def test_what_is_no_form_is_said(key: str, text: str, problem: str) -> None:
    async with App().run_test():
        row = row_for(SPECS[key])
        row.control.text = text
        with pytest.raises(ValueError, match=problem):
            row.value()


def test_units_as_people_write_them() -> None:
    assert [values.size(n) for n in (1, 1536, 2**20, 3 * 2**30)] == ["1", "1536", "1MiB", "3GiB"]
    assert [values.time(s) for s in (0.05, 1, 90, 3600)] == ["50ms", "1s", "1.5min", "1h"]
    moment = {"timestamp": datetime(2026, 11, 1, tzinfo=UTC)}
    assert values.start_of(moment) == "2026-11-01T00:00:00+00:00"


def book(*keys: str) -> FieldBook:
    return FieldBook(row_for(SPECS[key]) for key in keys)


async def test_what_was_not_edited_stays_as_the_file_has_it() -> None:
    async with App().run_test():
        fields = book("limits.buffer_bytes", "limits.connections", "rename", "topics.include")
        entry: dict[str, JsonValue] = {
            "rename": "identity",
            "limits": {"buffer_bytes": "33554432", "unknown": 1},
            "topics": {"include": "not a list"},
        }
        fields.load(entry)
        assert not fields.changed
        assert fields.section() == (entry, []), "the default that stands there, too"
        fields["limits.connections"].control.text = "8"
        assert fields.changed
        section, _ = fields.section()
        assert section == entry | {
            "limits": {"buffer_bytes": "33554432", "unknown": 1, "connections": 8}
        }
        assert entry["limits"] == {"buffer_bytes": "33554432", "unknown": 1}, "a copy was changed"


async def test_a_default_is_not_written_and_what_is_emptied_goes() -> None:
    async with App().run_test():
        fields = book("rename", "limits.connections")
        fields.load({"limits": {"connections": 8}})
        fields["rename"].control.text = "prefix"
        fields["rename"].control.text = "identity"
        fields["limits.connections"].control.text = ""
        assert fields.section() == ({}, [])


async def test_what_is_left_out_is_not_in_the_entry_but_comes_back() -> None:
    async with App().run_test():
        fields = book("sasl.username", "sasl.mechanism")
        fields.load({"sasl": {"username": "ccr", "mechanism": "PLAIN"}})
        fields.leave_out([("sasl", "username"), ("sasl", "mechanism")])
        assert fields.section() == ({}, [])
        fields.leave_out([])
        assert fields.section()[0] == {"sasl": {"username": "ccr", "mechanism": "PLAIN"}}


async def test_problems_stand_under_the_nearest_field() -> None:
    async with App().run_test():
        fields = book("topics.include", "limits.topics", "sasl.username", "sasl.mechanism")
        fields.leave_out([("sasl", "username")])
        left = fields.show_problems(
            [
                (("topics", "include", 1), "is no regex"),
                (("limits", "topics", "a.*"), "must be a size"),
                (("sasl",), "is missing"),
                (("sasl", "username"), "is missing"),
                (("elsewhere",), "is odd"),
            ]
        )
        assert fields["topics.include"].problem == "line 2: is no regex"
        assert fields["limits.topics"].problem == "a.*: must be a size"
        assert fields["sasl.mechanism"].problem == "is missing", "the section's first field"
        assert left == [(("sasl", "username"), "is missing"), (("elsewhere",), "is odd")]
        fields.show_problems([])
        assert fields["topics.include"].problem == ""


class Alone(App[None]):
    """One row, and what it told."""

    CSS_PATH = EditingScreen.CSS_PATH

    def __init__(self, row: FieldRow) -> None:
        super().__init__()
        self.row = row
        self.told: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.row

    def on_edited(self, event: Edited) -> None:
        self.told.append(event)


async def test_a_choice_by_arrows_letters_and_back_to_the_default() -> None:
    row = row_for(SPECS["security_protocol"])
    async with Alone(row).run_test() as pilot:
        row.focus_control()
        await pilot.press("right", "right")
        assert row.text == "SASL_PLAINTEXT"
        await pilot.press("left", "left", "left", "left")
        assert row.text == "PLAINTEXT"
        assert row.value() is None
        await pilot.press("s")
        assert row.text == "SSL"
        await pilot.press("s", "s", "s")
        assert row.text == "SSL", "all that begin with s, and round again"
        await pilot.press("backspace")
        assert row.text == ""


async def test_a_choice_that_may_be_none_of_them() -> None:
    row = row_for(SPECS["mm2.heartbeats"])
    async with Alone(row).run_test() as pilot:
        row.focus_control()
        await pilot.press("right", "right")
        assert row.text == "both"
        await pilot.press("left", "left")
        assert row.value() is None
        line = "".join(segment.text for segment in row.control.render_line(0))
        assert line.startswith("[not set]")


async def test_more_choices_than_there_is_room_for() -> None:
    names = tuple(f"cluster-{number}" for number in range(20))
    row = row_for(SPECS["source"], named=True)
    async with Alone(row).run_test() as pilot:
        assert isinstance(row.control, ChoiceControl)
        row.control.choices = names
        row.focus_control()
        await pilot.press("right", "right")
        assert row.text == "cluster-1"
        line = "".join(segment.text for segment in row.control.render_line(0))
        assert line.startswith("[cluster-1]  2 of 20")


async def test_a_secret_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_for(SPECS["sasl.password"])
    assert isinstance(row, SecretRow)
    app = Alone(row)
    copied: list[str] = []
    async with app.run_test() as pilot:
        monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
        row.propose("keyring:ccr-dr/ccr", needed=False)
        assert row.value() is None, "nothing was typed and nothing is needed"
        row.focus_control()
        await pilot.press(*"hunter2", "home", "shift+end", "ctrl+c", "ctrl+x", "enter")
        await pilot.pause()
        assert len(app.told) == 7
        assert "hunter2" not in repr(app.told) + repr(row) + repr(row.secret) + repr(copied)
        assert row.taken() == SecretStr("hunter2")
        assert row.value() == "keyring:ccr-dr/ccr"
        shown = "".join(segment.text for segment in row.secret.render_line(0))
        assert "hunter2" not in shown
        assert "•" * 7 in shown
        row.control.text = "env:PASSWORD"
        assert row.taken() is None, "it goes to the keyring or nowhere"
        assert row.value() == "env:PASSWORD"
        row.control.text = ""
        row.forget()
        assert row.taken() is None
        assert not row.changed


def test_the_spec_of_a_field_has_a_name_for_screen_and_file() -> None:
    spec = FieldSpec(("tls", "key_password"), Kind.SECRET, "")
    assert (spec.label, spec.key) == ("tls key password", "tls.key_password")
