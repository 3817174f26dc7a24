"""Images as their makers publish them, made by hand and uploaded blob by blob."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
ATTESTATION: Final = "application/vnd.in-toto+json"
LAYER_BYTES: Final = 400_000
LAYERS: Final = 3

Descriptor = dict[str, Any]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Pushed:
    """What was put into a registry."""

    digest: str
    platforms: Mapping[str, str]
    manifests: Mapping[str, bytes]
    """Every one by its digest, the index included."""
    layers: Sequence[str]
    size: int
    """Bytes of all configurations and layers."""


class Pusher:
    """Uploads an image, blob by blob."""

    def __init__(self, client: httpx.Client, base: str, chance: random.Random) -> None:
        self._client, self._base, self._chance = client, base, chance
        self._manifests: dict[str, bytes] = {}
        self._layers: list[str] = []
        self._sizes: dict[str, int] = {}

    def image(self, tag: str, cpus: Sequence[str]) -> Pushed:
        """Upload it; for one CPU it has no index."""
        if len(cpus) == 1:
            top = self._one(cpus[0], tag)
            platforms = {cpus[0]: top["digest"]}
        else:
            found: list[Descriptor] = []
            platforms = {}
            for cpu in cpus:
                each = self._one(cpu)
                platforms[cpu] = each["digest"]
                found.append({**each, "platform": {"os": "linux", "architecture": cpu}})
                unknown = {"os": "unknown", "architecture": "unknown"}
                found.append({**self._attestation(each["digest"]), "platform": unknown})
            top = self._manifest({"mediaType": INDEX, "manifests": found}, tag)
        size = sum(self._sizes.values())
        return Pushed(top["digest"], platforms, self._manifests, self._layers, size)

    def _one(self, cpu: str, tag: str = "") -> Descriptor:
        layers: list[Descriptor] = []
        unpacked: list[str] = []
        for number in range(LAYERS):
            raw = self._archive(f"layer-{number}")
            unpacked.append(digest_of(raw))
            layers.append(self._blob(gzip.compress(raw, 1, mtime=0), LAYER))
        self._layers += [each["digest"] for each in layers]
        config = {
            "os": "linux",
            "architecture": cpu,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": unpacked},
        }
        return self._manifest(
            {
                "mediaType": MANIFEST,
                "config": self._blob(json.dumps(config).encode(), CONFIG),
                "layers": layers,
            },
            tag,
        )

    def _attestation(self, subject: str) -> Descriptor:
        statement = self._blob(json.dumps({"subject": subject}).encode(), ATTESTATION)
        nothing = {"os": "unknown", "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]}}
        config = self._blob(json.dumps(nothing).encode(), CONFIG)
        return self._manifest({"mediaType": MANIFEST, "config": config, "layers": [statement]})

    def _archive(self, name: str) -> bytes:
        data = self._chance.randbytes(LAYER_BYTES)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        return packed.getvalue()

    def _blob(self, data: bytes, kind: str) -> Descriptor:
        digest = digest_of(data)
        begun = self._client.post(f"{self._base}/blobs/uploads/")
        place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
        assert self._client.put(place, content=data).status_code == 201
        self._sizes[digest] = len(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _manifest(self, content: Mapping[str, Any], tag: str = "") -> Descriptor:
        data = json.dumps({"schemaVersion": 2, **content}, indent=1).encode()
        digest, kind = digest_of(data), str(content["mediaType"])
        place = f"{self._base}/manifests/{tag or digest}"
        answer = self._client.put(place, content=data, headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
        self._manifests[digest] = data
        return {"mediaType": kind, "digest": digest, "size": len(data)}
