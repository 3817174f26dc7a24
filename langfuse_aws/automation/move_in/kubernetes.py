"""Reads what kubectl exports: what Langfuse's containers get, from Secrets and ConfigMaps too.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

from langfuse_aws.automation.move_in.containers import (
    WEB,
    WORKER,
    Lack,
    Reading,
    addresses,
    release_of,
)

Tree = Mapping[str, Any]
Variable = Mapping[str, Any]
"""An entry of a container's `env`."""
NOTHING: Final[Tree] = {}
NOT_MOVED: Final = "REDIS_"
"""Queues are drained, so nothing of Redis has to be known."""
CHART: Final = "langfuse-"
REFERENCE: Final = re.compile(r"\$(?:\$|\(([\w.-]+)\))")
LOCAL: Final = re.compile(r"localhost|127\..*|::1|\[::1\]")
IN_CLUSTER: Final = re.compile(r"[\w-]+|.*\.svc(?:\..*)?|.*\.cluster\.local\.?")
"""https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"""
LATER: Final = "in a file of NAME=VALUE by another --from, which wins"


class _MissingError(Exception):
    """A value that the export does not have."""


@dataclass(frozen=True)
class Exported:
    """Objects of a cluster."""

    objects: Sequence[Tree] = field(repr=False)

    @cached_property
    def namespace(self) -> str | None:
        """Where they are; None: in several, or not known."""
        return _only(_metadata(each).get("namespace") for each in self.objects)

    @cached_property
    def helm_release(self) -> str | None:
        """What Helm calls the installation of Langfuse's chart; None: they do not say."""
        name = "meta.helm.sh/release-name"
        of_chart = (_annotations(each).get(name) for each in self._of_chart)
        return _only(of_chart) or _only(_annotations(each).get(name) for each in self.objects)

    @cached_property
    def release(self) -> str | None:
        """X.Y.Z of Langfuse that the chart installs; None: they do not say."""
        said = _only(_labels(each).get("app.kubernetes.io/version") for each in self._of_chart)
        return release_of(f":{said}")

    @property
    def web(self) -> str:
        """Name of web's Deployment: its own, or what the chart calls it."""
        for each in self.objects:
            images = [str(one.get("image", "")) for one in _containers(each)]
            if any(WEB.fullmatch(image) for image in images):
                return str(_metadata(each).get("name"))
        release = self.helm_release or "langfuse"
        return f"{release}-web" if "langfuse" in release else f"{release}-langfuse-web"

    @property
    def kubectl(self) -> str:
        """What a command begins with."""
        return f"kubectl -n {self.namespace}" if self.namespace else "kubectl"

    @property
    def _of_chart(self) -> Iterator[Tree]:
        for each in self.objects:
            if str(_labels(each).get("helm.sh/chart", "")).startswith(CHART):
                yield each

    def readings(self, objects: Sequence[Tree], where: str) -> Iterator[Reading]:
        """Give what the Deployments' containers of worker and web get; web's are more."""
        for pattern in (WORKER, WEB):
            for container in (one for each in objects for one in _containers(each)):
                image = str(container.get("image", ""))
                if pattern.fullmatch(image):
                    given = mappings(container.get("env")), mappings(container.get("envFrom"))
                    yield self.read(*given, release_of(image), where)

    def read(
        self,
        variables: Iterable[Variable],
        sources: Iterable[Tree],
        release: str | None,
        where: str,
    ) -> Reading:
        """Resolve a container's `env` and `envFrom`, as a node does it."""
        found: dict[str, str] = {}
        lacking: dict[str, Lack] = {}
        for source in sources:
            for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                if reference := _mapping(source, key):
                    try:
                        texts = self._all(kind, reference)
                    except _MissingError as error:
                        lacking[f"{kind} {reference.get('name')}"] = Lack(where, str(error))
                        continue
                    prefix = str(source.get("prefix") or "")
                    found |= {f"{prefix}{name}": text for name, text in texts.items()}
        for variable in variables:
            name = str(variable.get("name"))
            if name.startswith(NOT_MOVED):
                continue
            lacking.pop(name, None)
            try:
                value = self._value(variable)
            except _MissingError as error:
                found.pop(name, None)
                lacking[name] = Lack(where, str(error))
                continue
            if value is not None:
                found[name] = _expanded(value, found)
                for each in REFERENCE.findall(value):
                    if each in lacking:
                        lacking[name] = lacking[each]
        found = {name: text for name, text in found.items() if not name.startswith(NOT_MOVED)}
        return Reading(found, release, {**dict(self._unreachable(found, where)), **lacking})

    def _value(self, variable: Variable) -> str | None:
        if (reference := _mapping(variable, "valueFrom")) is None:
            return _text(variable.get("value"))
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            if wanted := _mapping(reference, key):
                return self._one(kind, wanted)
        return None  # of the pod itself

    def _one(self, kind: str, reference: Tree) -> str | None:
        name, key = str(reference.get("name")), str(reference.get("key"))
        what = f"in key {key} of {kind} {name}"
        value = self._named(kind, name)
        optional = reference.get("optional") is True
        if value is None:
            if optional:
                return None
            raise _MissingError(f"{what}, which no file has: {self._export(kind, name)}")
        if key not in value:
            if optional:
                return None
            there = ", ".join(sorted(value)) or "none"
            raise _MissingError(f"{what}, which has no such key (it has: {there})")
        return _decoded(value[key], what)

    def _all(self, kind: str, reference: Tree) -> dict[str, str]:
        name = str(reference.get("name"))
        value = self._named(kind, name)
        if value is None:
            if reference.get("optional") is True:
                return {}
            raise _MissingError(
                f"in no file, and its keys are variables of Langfuse: {self._export(kind, name)}"
            )
        return {
            key: _decoded(each, f"in key {key} of {kind} {name}") for key, each in value.items()
        }

    def _named(self, kind: str, name: str) -> Mapping[str, tuple[str, bool]] | None:
        """By key: a value, and whether it is in base64. None: there is no such object."""
        found = [
            each
            for each in self.objects
            if each.get("kind") == kind and _metadata(each).get("name") == name
        ]
        if not found:
            return None
        places = sorted({str(_metadata(each).get("namespace")) for each in found})
        if len(places) > 1:
            raise _MissingError(
                f"in {kind} {name}, of the namespaces {', '.join(places)}: export Langfuse's alone"
            )
        merged: dict[str, tuple[str, bool]] = {}
        for each in found:
            data = (_mapping(each, "data") or NOTHING).items()
            plain = (_mapping(each, "stringData") or NOTHING).items()
            merged |= {key: (str(value), kind == "Secret") for key, value in data}
            merged |= {key: (str(value), False) for key, value in plain}
        return merged

    def _export(self, kind: str, name: str) -> str:
        return (
            f"{self.kubectl} get {kind.lower()} {name} -o yaml > {name}.yaml, "
            f"and --from {name}.yaml"
        )

    def _unreachable(
        self, environment: Mapping[str, str], where: str
    ) -> Iterator[tuple[str, Lack]]:
        for name, host, port in addresses(environment):
            if LOCAL.fullmatch(host):
                what, to = "in its own pod", f"deploy/{self.web}"
            elif self._in_cluster(host):
                what, to = "a name that only the cluster knows", f"svc/{host.split('.')[0]}"
            else:
                continue
            yield (
                name,
                Lack(
                    where,
                    f"at {host}:{port}, {what}. {self.kubectl} port-forward {to} {port}:{port} "
                    f"opens it here; give it with 127.0.0.1:{port} {LATER}",
                    unreachable=True,
                ),
            )

    def _in_cluster(self, host: str) -> bool:
        service, _, rest = host.partition(".")
        return bool(service) and (
            IN_CLUSTER.fullmatch(host) is not None or (rest != "" and rest == self.namespace)
        )


def objects_of(documents: Iterable[Any]) -> Iterator[Tree]:
    """Give the Kubernetes objects of a file, those in a List too; none: it is no such file."""
    for document in documents:
        if isinstance(document, Mapping):
            tree = cast("Tree", document)
            if "apiVersion" in tree and str(tree.get("kind")).endswith("List"):
                yield from objects_of(mappings(tree.get("items")))
            elif "apiVersion" in tree and "kind" in tree:
                yield tree


def _containers(each: Tree) -> Iterator[Tree]:
    """Those of a Deployment."""
    if each.get("kind") == "Deployment":
        template = _mapping(_mapping(each, "spec") or NOTHING, "template") or NOTHING
        yield from mappings((_mapping(template, "spec") or NOTHING).get("containers"))


def mappings(found: Any) -> list[Tree]:
    """Give those of a list; none, if it is no list."""
    listed = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("Tree", each) for each in listed if isinstance(each, Mapping)]


def _expanded(value: str, found: Mapping[str, str]) -> str:
    """Put in the variables before it: $(NAME); what is none stays, and $$ is a $."""
    return REFERENCE.sub(
        lambda match: "$" if match[1] is None else found.get(match[1], match[0]), value
    )


def _decoded(value: tuple[str, bool], what: str) -> str:
    text, encoded = value
    if not encoded:
        return text
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _MissingError(f"{what}, whose value is no base64 of a text") from None


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(tree: Tree, key: str) -> Tree | None:
    found = tree.get(key)
    return cast("Tree", found) if isinstance(found, Mapping) else None


def _metadata(each: Tree) -> Tree:
    return _mapping(each, "metadata") or NOTHING


def _labels(each: Tree) -> Tree:
    return _mapping(_metadata(each), "labels") or NOTHING


def _annotations(each: Tree) -> Tree:
    return _mapping(_metadata(each), "annotations") or NOTHING


def _only(values: Iterable[Any]) -> str | None:
    """The one that all of them are; None: there are several, or none."""
    found = {str(each) for each in values if each}
    return found.pop() if len(found) == 1 else None
