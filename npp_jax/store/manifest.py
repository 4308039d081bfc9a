"""What makes a run of a sweep: results under one manifest belong together."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from npp_jax.store.chunks import canonical_json, parsed_json
from npp_jax.store.disk import StoreError, replacing, write_all
from npp_jax.text.opened import read_bytes

SCHEMA_VERSION = 2
"""Of manifests and of the files that are made of the chunks."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a run is: two runs with one manifest give the same results.

    Raises
    ------
    StoreError
        No candidates, or no size of the chunks.
    """

    configuration: str
    """Text of all settings, in one spelling."""
    version: str
    """Version of the package."""
    dtype: str
    """Precision of the arithmetic, `float64` or `float32`."""
    candidates: int
    """Number of candidates."""
    chunk_size: int
    """Candidates of a chunk; the last chunk may hold fewer."""
    design: str = ""
    """Fingerprint of the candidates."""

    def __post_init__(self) -> None:
        for name in ("candidates", "chunk_size"):
            if getattr(self, name) < 1:
                raise StoreError(f"{name} = {getattr(self, name)} must be 1 or more")

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.candidates // self.chunk_size)

    def span(self, chunk: int) -> tuple[int, int]:
        """First candidate of a chunk and the one after its last.

        Raises
        ------
        StoreError
            There is no such chunk.
        """
        if not 0 <= chunk < self.chunks:
            raise StoreError(f"chunk {chunk} is not among the {self.chunks} of the run")
        return chunk * self.chunk_size, min((chunk + 1) * self.chunk_size, self.candidates)

    @property
    def configuration_sha256(self) -> str:
        """SHA-256 of the text of the settings, in hexadecimal."""
        return hashlib.sha256(self.configuration.encode()).hexdigest()

    @property
    def run(self) -> str:
        """SHA-256 of the whole manifest, in hexadecimal; every chunk carries it."""
        return hashlib.sha256(canonical_json(self._content())).hexdigest()

    def differences(self, stored: "Manifest") -> list[str]:
        """What differs from a stored manifest, each in a few words; empty if nothing does."""
        found = []
        for field in dataclasses.fields(self):
            old, new = getattr(stored, field.name), getattr(self, field.name)
            if old == new:
                continue
            if field.name == "configuration":
                found.append(f"configuration ({_first_difference(old, new)})")
            elif field.name == "design":
                found.append("design (other candidates)")
            else:
                found.append(f"{field.name} (stored {old}, now {new})")
        return found

    def _content(self) -> dict[str, Any]:
        content = dataclasses.asdict(self)
        return {**content, "schema_version": SCHEMA_VERSION, "configuration_sha256": self.configuration_sha256}

    def write(self, path: Path) -> None:
        """Write as JSON under its own checksum, whole or not at all."""
        with replacing(path) as descriptor:
            write_all(descriptor, canonical_json({**self._content(), "run": self.run}) + b"\n")


def read_manifest(path: Path) -> Manifest | None:
    """Manifest from its file; None if there is none or any byte of it is wrong.

    Raises
    ------
    StoreError
        The manifest is whole, but of another schema.
    """
    try:
        data = read_bytes(path)
        content = parsed_json(data)
        whole = canonical_json(content) + b"\n" == data
        if content.pop("run") != hashlib.sha256(canonical_json(content)).hexdigest() or not whole:
            return None
        if content["schema_version"] != SCHEMA_VERSION:
            raise StoreError(
                f"{path.name}: schema_version {content['schema_version']}, this version reads {SCHEMA_VERSION}: "
                "discard it with --force, or resume it with the version of npp_jax that began it"
            )
        return Manifest(**{field.name: content[field.name] for field in dataclasses.fields(Manifest)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _first_difference(old: str, new: str) -> str:
    """Where two texts begin to differ, with what stands around it."""
    pairs = enumerate(zip(old, new, strict=False))
    place = next((k for k, (a, b) in pairs if a != b), min(len(old), len(new)))
    line = old.count("\n", 0, place) + 1
    start = max(old.rfind("\n", 0, place) + 1, place - 40)
    shown = (text[start : place + 40].split("\n")[0] for text in (old, new))
    return "line {}: stored '{}', now '{}'".format(line, *shown)
