"""What exists in the in-memory AWS: one account for each stack.

A stack is told from others by the ID that its engine gave to its provider and keeps in its state
(`id` of pulumirpc's ConfigureRequest). So stacks of equal names in separate backends, and stacks
that were never destroyed, know nothing of each other; and what two stacks would do to each other in
one account is seen only by an `AwsProvider(shared=True)`. Resources of an explicit provider are in
an account of their own.

An account begins with what its provider was told to `begin_with`. It learns what an engine makes,
changes and deletes, and, from the olds of the engine's questions, what was made before this process
began. Of that, a process that begins anew knows what the engine has asked about so far: a resource
that left the program is not among it before it is deleted, and a service runs what its state says.
A preview changes nothing.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = Mapping[str, Any]
Made = tuple[str, Properties]
"""A type, and the properties of something of it."""

DB_SNAPSHOT = "aws:rds/snapshot:Snapshot"
CLUSTER_SNAPSHOT = "aws:rds/clusterSnapshot:ClusterSnapshot"
CACHE_SNAPSHOT = "aws:elasticache/snapshot:Snapshot"
VOLUME_SNAPSHOT = "aws:ebs/snapshot:Snapshot"


@dataclass
class Existing:
    """One resource. `properties` are its inputs, and what AWS told when it was made."""

    type: str
    id: str
    properties: Properties
    name: str = ""
    """The logical name, if it was made here."""
    modified: list[float] = field(default_factory=list[float])
    """When it was changed, in seconds of a clock that only goes forward."""
    told: Properties = field(default_factory=dict[str, Any])
    """What a refresh reads that no update of the engine's has asked for."""
    runs: str | None = None
    """The task definition or image that a service runs; none if its first start failed."""

    def get(self, key: str) -> Any:
        """A property."""
        return self.properties.get(key)

    @property
    def names(self) -> frozenset[str]:
        """What others hold that use it."""
        return frozenset({self.id, str(self.get("arn") or self.id)})


class Account:
    """Everything that exists. Safe for several threads while its `lock` is held."""

    def __init__(self, begin_with: Iterable[Made] = ()) -> None:
        self.lock = threading.RLock()
        self._existing: list[Existing] = [
            Existing(token, str(properties.get("id", "")), properties)
            for token, properties in begin_with
        ]

    def of_type(self, *tokens: str) -> list[Existing]:
        """Every resource of these types."""
        return [each for each in self._existing if each.type in tokens]

    def find(self, token: str, resource_id: str) -> Existing | None:
        """The youngest with the ID: a replacement may have the ID of what it replaces."""
        found = [each for each in self.of_type(token) if each.id == resource_id]
        return found[-1] if found else None

    def add(self, token: str, resource_id: str, properties: Properties, name: str = "") -> Existing:
        """Something was made."""
        made = Existing(token, resource_id, properties, name)
        self._existing.append(made)
        return made

    def learn(
        self,
        token: str,
        resource_id: str,
        properties: Properties,
        name: str,
        runs: str | None = None,
    ) -> Existing:
        """Something was made before; what is known of it already counts more."""
        with self.lock:
            known = self.find(token, resource_id)
            if known is None:
                known = self.add(token, resource_id, properties, name)
                known.runs = runs
            return known

    def change(self, existing: Existing, properties: Properties) -> None:
        """Something was changed."""
        existing.told = {
            key: value for key, value in existing.told.items() if value == properties.get(key)
        }
        existing.properties = properties
        existing.modified.append(time.monotonic())

    def remove(self, token: str, resource_id: str) -> None:
        """The oldest with the ID was deleted."""
        found = next((each for each in self.of_type(token) if each.id == resource_id), None)
        if found is not None:
            self._existing.remove(found)
