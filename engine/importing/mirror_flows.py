"""What MirrorMaker 2 is told about a flow, as a section of `flows`.

Names and defaults are those of Kafka 4.2.0 (MirrorSourceConfig, MirrorCheckpointConfig,
MirrorHeartbeatConfig, MirrorConnectorConfig).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.importing import values
from engine.importing.drafts import FlowDraft, put_regexes
from engine.importing.ledger import Ledger
from engine.importing.report import Setting
from engine.importing.transforms import refuse_changes


class MirrorFlow:
    """Fills a flow in from its settings, by their names without prefixes."""

    def __init__(self, ledger: Ledger, flow: FlowDraft, settings: Mapping[str, Setting]) -> None:
        self._ledger = ledger
        self._flow = flow
        self._settings = settings

    def fill_in(self) -> None:
        """Account for every setting that says something about a flow."""
        self._naming()
        self._topics()
        self._reading()
        for key, how in _HANDLERS.items():
            setting = self._settings.get(key)
            if setting is not None:
                how(self._ledger, self._flow, setting)
        self._groups()
        self._acls()
        self._own_topics()
        refuse_changes(self._ledger, self._flow, self._settings)
        if "replication.factor" not in self._settings:
            self._note("replication.factor", "2 with MirrorMaker 2; ccr takes the source's")

    def _note(self, key: str, text: str, path: str = "") -> None:
        name = self._flow.name
        self._ledger.note(f"{key} of {name}", text, self._flow.place(path) if path else "")

    def _naming(self) -> None:
        flow, setting = self._flow, self._settings.get("replication.policy.class")
        policy = setting.value.strip().rpartition(".")[2] if setting else ""
        if policy == "IdentityReplicationPolicy" and setting:
            self._ledger.taken(setting, flow.put("rename", "identity"))
        elif policy in ("", "DefaultReplicationPolicy"):
            place = flow.put("rename", "prefix")
            if setting:
                self._ledger.taken(setting, place, f"mirrors are called {flow.source}.TOPIC")
            else:
                text = f"mirrors are called {flow.source}.TOPIC, MirrorMaker 2's default policy"
                self._note("replication.policy.class", text, "rename")
        elif setting:
            question = f"how does {policy} name mirrors? ccr has identity and prefix"
            self._ledger.decide(setting.key, question, flow.place("rename"))
            flow.blocked.append(f"ccr does not know how {policy} names mirrors")
        self._separator()

    def _separator(self) -> None:
        setting, flow = self._settings.get("replication.policy.separator"), self._flow
        if setting is None:
            return
        if setting.value.strip() == "." or flow.section.get("rename") == "identity":
            self._ledger.taken(setting, flow.place("rename"), "the dot is ccr's, too")
            return
        mirror = f"{flow.source}{setting.value.strip()}TOPIC"
        question = f"mirrors were called {mirror}; ccr puts a dot there: may they have other names?"
        self._ledger.decide(setting.key, question, flow.place("rename"))
        flow.blocked.append(f"mirrors would not be called {mirror} any more")

    def _topics(self) -> None:
        topics = self._settings.get("topics") or self._settings.get("topics.whitelist")
        if topics is None:
            self._note("topics", "every topic, as with MirrorMaker 2")
        else:
            put_regexes(self._ledger, self._flow, topics, "topics.include")
            if not self._flow.section["topics"]["include"]:
                del self._flow.section["topics"]["include"]  # without, ccr would take them all
                question = "it names no topic, so MirrorMaker 2 mirrors none: which are meant?"
                self._ledger.decide(topics.key, question, self._flow.place("topics.include"))
                self._flow.blocked.append("no topics are named; without, ccr would take all")
        excluded = self._settings.get("topics.exclude") or self._settings.get("topics.blacklist")
        if excluded is None:
            self._flow.put("topics.exclude", [r".*-internal"])
            text = "MirrorMaker 2 leaves out names that end so; ccr only internal topics"
            self._note("topics.exclude", text, "topics.exclude")
        else:
            put_regexes(self._ledger, self._flow, excluded, "topics.exclude")

    def _reading(self) -> None:
        reset = self._settings.get("auto.offset.reset")
        if reset is not None:
            said = reset.value.strip().lower()
            if said in ("earliest", "latest"):
                self._ledger.taken(reset, self._flow.put("start", said))
            else:
                self._ledger.refuse(reset, "ccr begins at earliest or latest; earliest stays")
        isolation = self._settings.get("isolation.level")
        if isolation is not None:
            said = isolation.value.strip().lower()
            if said in ("read_committed", "read_uncommitted"):
                self._ledger.taken(isolation, self._flow.put("isolation", said))
            else:
                self._ledger.refuse(isolation, "is neither read_committed nor read_uncommitted")
        else:
            text = (
                "read_uncommitted with MirrorMaker 2, which so copies what was aborted; ccr leaves"
                " that out (read_committed)"
            )
            self._note("consumer.isolation.level", text)

    def _groups(self) -> None:
        flow = self._flow
        setting = self._settings.get("sync.group.offsets.enabled")
        enabled = truth_or(self._ledger, setting, False)
        place = flow.put("sync.groups", enabled)
        if setting:
            self._ledger.taken(setting, place)
        else:
            text = "MirrorMaker 2 commits no group's offsets on the target unless it is told to"
            self._note("sync.group.offsets.enabled", text, "sync.groups")
        if "groups" in self._settings:
            put_regexes(self._ledger, flow, self._settings["groups"], "groups.include")
        excluded = self._settings.get("groups.exclude") or self._settings.get("groups.blacklist")
        if excluded:
            put_regexes(self._ledger, flow, excluded, "groups.exclude")
        elif enabled:
            flow.put("groups.exclude", ["console-consumer-.*", "connect-.*", "__.*"])
            self._note("groups.exclude", "MirrorMaker 2's own list", "groups.exclude")

    def _acls(self) -> None:
        setting = self._settings.get("sync.topic.acls.enabled")
        place = self._flow.put("sync.acls", truth_or(self._ledger, setting, True))
        note = "of topics and groups; WRITE is not carried over, as with MirrorMaker 2"
        if setting:
            self._ledger.taken(setting, place, note)
        else:
            self._note("sync.topic.acls.enabled", f"true; {note}", "sync.acls")

    def _own_topics(self) -> None:
        """Its heartbeats, checkpoints and offset syncs: only where the file asks for them."""
        flow = self._flow
        where = self._settings.get("offset-syncs.topic.location")
        side = where.value.strip().lower() if where else "source"
        for key, path, value in (
            ("emit.heartbeats.enabled", "mm2.heartbeats", "target"),
            ("emit.checkpoints.enabled", "mm2.checkpoints", True),
            ("emit.offset-syncs.enabled", "mm2.offset_syncs", side),
        ):
            setting = self._settings.get(key)
            if setting is None:
                text = (
                    "MirrorMaker 2 writes them; ccr only if asked to: while both run, only one may"
                )
                self._note(key, text)
            elif truth_or(self._ledger, setting, False):
                self._ledger.taken(setting, flow.put(path, value))
            else:
                self._ledger.taken(setting, flow.place(path), "off, the default")
        if where and side in ("source", "target"):
            self._ledger.taken(where, flow.place("mm2.offset_syncs"))
        elif where:
            self._ledger.refuse(where, "is neither source nor target")


def truth_or(ledger: Ledger, setting: Setting | None, otherwise: bool) -> bool:
    """Return what a setting says; what it says otherwise, or when it is neither true nor false."""
    said = values.truth(ledger, setting) if setting else None
    return otherwise if said is None else said


_Handler = Callable[[Ledger, FlowDraft, Setting], None]


def flag(path: str, text: str = "") -> _Handler:
    """Take true or false."""

    def take(ledger: Ledger, flow: FlowDraft, setting: Setting) -> None:
        said = values.truth(ledger, setting)
        if said is not None:
            ledger.taken(setting, flow.put(path, said), text)

    return take


def span(path: str, unit: float, least: float, most: float = 3600.0) -> _Handler:
    """Take a time in a unit of so many seconds, within bounds in seconds."""

    def take(ledger: Ledger, flow: FlowDraft, setting: Setting) -> None:
        time = values.time(ledger, setting, unit, least, most)
        if time is not None:
            ledger.taken(setting, flow.put(path, time))

    return take


def factor(ledger: Ledger, flow: FlowDraft, setting: Setting) -> None:
    """Take a replication factor; -1 and 0 mean somebody else's."""
    count = values.number(ledger, setting, -1, 32767)
    if count is not None and count > 0:
        ledger.taken(setting, flow.put("replication_factor", count))
    elif count is not None:
        ledger.taken(setting, "", "the source's, capped by the target's brokers")


def _always(text: str) -> _Handler:
    def take(ledger: Ledger, flow: FlowDraft, setting: Setting) -> None:
        said = values.truth(ledger, setting)
        if said:
            ledger.taken(setting, "", text)
        elif said is not None:
            ledger.no_counterpart(setting, text)

    return take


def _exactly_once(ledger: Ledger, flow: FlowDraft, setting: Setting) -> None:
    ledger.taken(setting, "", "ccr mirrors exactly once, always and without transactions")


_HANDLERS: dict[str, _Handler] = {
    "replication.factor": factor,
    "refresh.topics.interval.seconds": span("topic_refresh", 1, 0.5),
    "refresh.topics.enabled": _always("ccr always looks for new topics and partitions"),
    "sync.topic.configs.enabled": flag("sync.configs"),
    "sync.topic.configs.interval.seconds": span("configs.interval", 1, 0.5),
    "config.properties.exclude": lambda ledger, flow, setting: put_regexes(
        ledger, flow, setting, "configs.exclude"
    ),
    "config.properties.blacklist": lambda ledger, flow, setting: put_regexes(
        ledger, flow, setting, "configs.exclude"
    ),
    "sync.topic.acls.interval.seconds": span("acls.interval", 1, 1.0),
    "sync.group.offsets.interval.seconds": span("groups.interval", 1, 0.5),
    "exactly.once.source.support": _exactly_once,
    "exactly.once.support": _exactly_once,
}
FLOW_KEYS = (
    *_HANDLERS,
    "replication.policy.class",
    "replication.policy.separator",
    "topics",
    "topics.whitelist",
    "topics.exclude",
    "topics.blacklist",
    "groups",
    "groups.exclude",
    "groups.blacklist",
    "sync.group.offsets.enabled",
    "sync.topic.acls.enabled",
    "emit.heartbeats.enabled",
    "emit.checkpoints.enabled",
    "emit.offset-syncs.enabled",
    "offset-syncs.topic.location",
    "transforms",
    "key.converter",
    "value.converter",
    "header.converter",
)
"""The settings that a flow is made of, beside those of its source's consumer."""
READER_KEYS = ("auto.offset.reset", "isolation.level")
