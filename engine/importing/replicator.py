"""A ReplicatorSourceConnector: Confluent Replicator, as properties or as a connector's JSON.

Names and defaults are those that Replicator 7 logs at its start (ReplicatorSourceConnectorConfig).
Settings that only look like its own (`topics`, `source.bootstrap.servers`) are taken as meant.
"""

from __future__ import annotations

import re

from engine.importing import java_regexes, values
from engine.importing.connectors import ConnectorFile
from engine.importing.drafts import FlowDraft, add_patterns, put_names, put_regex
from engine.importing.mirror_flows import factor, flag, span, truth_or
from engine.importing.report import Setting
from engine.importing.transforms import refuse_changes

CLASS = "ReplicatorSourceConnector"
_PREFIXED = re.compile(r"(?P<source>[A-Za-z0-9][A-Za-z0-9_-]*)\.\$\{topic\}")
_CONVERTERS = tuple(
    f"{side}{part}.converter" for side in ("", "src.") for part in ("key", "value", "header")
)
_ELSEWHERE = {
    "topic.auto.create": "ccr makes mirrors that are not there, with the source's partitions",
    "topic.preserve.partitions": "a mirror has as many partitions as its source",
}


class ReplicatorFile(ConnectorFile):
    """Our clusters and flow out of Replicator's settings."""

    SOURCE = (
        "src.kafka.", "source.kafka.", "source.cluster.", "source.", "src.", "src.consumer.",
        "consumer.override.",
    )  # fmt: skip
    TARGET = (
        "dest.kafka.", "destination.kafka.", "target.cluster.", "destination.", "target.", "dest.",
        "producer.override.", "admin.override.",
    )  # fmt: skip
    READER = ("src.consumer.", "consumer.override.", "src.kafka.")

    def names(self) -> tuple[str, str]:
        """Return what the clusters are called; a prefix of mirrors' names names the source."""
        source, target = super().names()
        rename = self.ledger.get("topic.rename.format")
        found = _PREFIXED.fullmatch(rename.value.strip()) if rename else None
        if found and "source.cluster.alias" not in self.ledger and found["source"] != target:
            return found["source"], target
        return source, target

    def fill_in(self, flow: FlowDraft) -> None:
        """Account for what is said about the flow."""
        self._topics(flow)
        self._naming(flow)
        self._offsets(flow)
        self._reading(flow)
        for key, how in (
            ("dest.topic.replication.factor", factor),
            ("replication.factor", factor),
            ("topic.config.sync", flag("sync.configs")),
            ("topic.config.sync.interval.ms", span("configs.interval", 0.001, 0.5)),
            ("topic.poll.interval.ms", span("topic_refresh", 0.001, 0.5)),
        ):
            setting = self.ledger.get(key)
            if setting is not None:
                how(self.ledger, flow, setting)
        self._as_always()
        changing = {
            key: found for key in ("transforms", *_CONVERTERS) if (found := self.ledger.get(key))
        }
        refuse_changes(self.ledger, flow, changing)

    def _topics(self, flow: FlowDraft) -> None:
        ledger = self.ledger
        named = ledger.get("topic.whitelist")
        if named:
            put_names(ledger, flow, named, "topics.include")
        regex = ledger.get("topic.regex")
        if regex and regex.value.strip():
            put_regex(ledger, flow, regex, "topics.include")
        topics = ledger.get("topics")
        if topics:
            self._as_meant(flow, topics)
        excluded = ledger.get("topic.blacklist")
        if excluded:
            put_names(ledger, flow, excluded, "topics.exclude")
        if not flow.section.get("topics", {}).get("include"):
            flow.section.get("topics", {}).pop("include", None)
            question = "no topics are named, and Replicator then replicates none: which are meant?"
            ledger.decide("topic.whitelist", question, flow.place("topics.include"))
            flow.blocked.append("no topics are named; without, ccr would take all there are")

    def _as_meant(self, flow: FlowDraft, setting: Setting) -> None:
        """Take `topics`, which Replicator does not have: names, or regexes."""
        patterns = []
        for each in values.listed(setting.value):
            if java_regexes.is_name(each):
                patterns.append(java_regexes.literal(each))
                continue
            found = java_regexes.rewritten(each)
            if found.problem:
                self.ledger.refuse(setting, f"{each}: {found.problem}")
                flow.blocked.append(f"{setting.key} has a regex that ccr cannot take: {each}")
            else:
                patterns.append(found.pattern)
        note = "Replicator itself reads topic.whitelist and topic.regex, not this; taken as meant"
        add_patterns(self.ledger, flow, setting, "topics.include", patterns, note)

    def _naming(self, flow: FlowDraft) -> None:
        setting = self.ledger.get("topic.rename.format")
        said = setting.value.strip() if setting else "${topic}"
        prefixed = _PREFIXED.fullmatch(said)
        if said == "${topic}":
            if setting:
                self.ledger.taken(setting, flow.put("rename", "identity"))
        elif setting and prefixed and prefixed["source"] == flow.source:
            text = f"so the source is called {flow.source} here"
            self.ledger.taken(setting, flow.put("rename", "prefix"), text)
        elif setting:
            question = f"ccr names mirrors TOPIC or {flow.source}.TOPIC: which of them?"
            self.ledger.decide(setting.key, question, flow.place("rename"))
            flow.blocked.append(f"mirrors would not be called {said} any more")

    def _offsets(self, flow: FlowDraft) -> None:
        """Groups' offsets: Replicator translates them by time stamps, unless told not to."""
        tasks = self.ledger.get("offset.translator.tasks.max")
        if tasks and tasks.value.strip() == "0":
            self.ledger.taken(tasks, flow.put("sync.groups", False))
        elif tasks:
            self.ledger.taken(tasks, flow.put("sync.groups", True), "exactly, not by time stamps")
        start = self.ledger.get("offset.start")
        if start and start.value.strip().lower() == "consumer":
            question = (
                "Replicator goes on where its consumer group was; ccr begins a new mirror at"
                " `start`: at earliest, at latest, or at a time?"
            )
            self.ledger.decide(start.key, question, flow.place("start"))
        elif start:
            self.ledger.taken(start, "", "ccr goes on from its own checkpoints")
        provenance = self.ledger.get("provenance.header.enable")
        if provenance:
            without = "what other flows brought is left out, without headers"
            if truth_or(self.ledger, provenance, True):
                self.ledger.taken(
                    provenance, flow.place("origin"), f"the default, local: {without}"
                )
            else:
                question = f"{without}; is any of that to be mirrored on (origin: any)?"
                self.ledger.decide(provenance.key, question, flow.place("origin"))

    def _reading(self, flow: FlowDraft) -> None:
        found = self.reader_settings(("auto.offset.reset", "isolation.level"))
        for key, path, known in (
            ("auto.offset.reset", "start", ("earliest", "latest")),
            ("isolation.level", "isolation", ("read_committed", "read_uncommitted")),
        ):
            setting = found.get(key)
            said = setting.value.strip().lower() if setting else ""
            if setting and said in known:
                self.ledger.taken(setting, flow.put(path, said))
            elif setting:
                self.ledger.refuse(setting, f"is neither {known[0]} nor {known[1]}")

    def _as_always(self) -> None:
        for key, text in _ELSEWHERE.items():
            setting = self.ledger.get(key)
            if setting and truth_or(self.ledger, setting, False):
                self.ledger.taken(setting, "", text)
            elif setting:
                self.ledger.decide(setting.key, f"{text}: is that wanted?")
        stamp = self.ledger.get("topic.timestamp.type")
        if stamp and stamp.value.strip() == "CreateTime":
            self.ledger.taken(stamp, "", "records keep the source's time stamps")
        elif stamp:
            question = "records keep the source's time stamps with ccr: is that wanted?"
            self.ledger.decide(stamp.key, question)
