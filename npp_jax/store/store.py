"""The store of a sweep: one file for each finished chunk, safe against kills, full disks and damaged files.

A run lives in a folder, `NAME.sweep/`:

`manifest.json`    what the run is; a run with another manifest is refused
`NNNNNNNN.chunk`   arrays of one finished chunk under a checksum
`lock`             held by the process that writes; workers hand their arrays to it
`.*.part`          file that was being written; removed when the run is opened
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from npp_jax.store.assemble import Coordinate, Variable, assemble
from npp_jax.store.chunks import DamagedChunk, read_chunk, run_of, write_chunk
from npp_jax.store.disk import Lock, StoreError, plain_errors, sync_folder, target_of
from npp_jax.store.manifest import Manifest, read_manifest

_CHUNK = re.compile(r"(\d{8,})\.chunk")
_MANIFEST = "manifest.json"
_LOCK = "lock"


class StoreMismatch(StoreError):
    """The folder holds another run."""


def stored_manifest(path: str | Path) -> Manifest | None:
    """What the run in a folder is; None where that cannot be read, which opening the store tells."""
    try:
        return read_manifest(Path(path) / _MANIFEST)
    except (OSError, StoreError):
        return None


def as_stored(path: str | Path, manifest: Manifest) -> Manifest:
    """The manifest, with the chunks of the run in a folder where that is the same run cut otherwise."""
    stored = stored_manifest(path)
    if stored is None:
        return manifest
    cut = dataclasses.replace(manifest, chunk_size=stored.chunk_size)
    return cut if cut == stored else manifest


@dataclasses.dataclass(frozen=True, eq=False)
class Store:
    """Results of a run on the disk; a context manager that gives the lock back."""

    path: Path
    """Folder of the run."""
    manifest: Manifest
    """What the run is."""
    _lock: Lock

    @classmethod
    def open(cls, path: str | Path, manifest: Manifest, *, force: bool = False) -> "Store":
        """Start a run, or resume it where it was interrupted.

        Parameters
        ----------
        path
            Folder of the run; made if it is not there.
        manifest
            What the run is.
        force
            Throw the chunks of another run away instead of refusing.

        Raises
        ------
        StoreMismatch
            The folder holds a run of another configuration, version, precision or cut, all named; or it is no run.
        StoreLocked
            Another process has it open.
        StoreFull
            No room on the disk.
        StoreError
            Another error of the operating system.
        """
        path = Path(path)
        with plain_errors(path):
            if not path.is_dir():
                path.mkdir()
                sync_folder(path.parent)
            strangers = [entry.name for entry in path.iterdir() if not _is_ours(entry.name)]
            if strangers and not (path / _MANIFEST).exists():
                raise StoreMismatch(f"{path}: a folder of other files ({strangers[0]}), not of a sweep")
            store = cls(path, manifest, Lock(path / _LOCK))
            try:
                store._begin(force)
            except BaseException:
                store.close()
                raise
        return store

    def _begin(self, force: bool) -> None:
        for entry in self.path.iterdir():
            # Whoever began it: this process alone has the folder.
            if target_of(entry.name) is not None and _is_ours(entry.name):
                entry.unlink()
        conflict = self._conflict()
        if conflict is not None:
            if not force:
                raise StoreMismatch(f"{self.path}: {conflict}")
            # Chunks first: if this is interrupted, what is left is a part of the former run.
            for file in self._files().values():
                file.unlink()
            sync_folder(self.path)
        if conflict is not None or read_manifest(self.path / _MANIFEST) is None:
            self.manifest.write(self.path / _MANIFEST)

    def _conflict(self) -> str | None:
        """Why what is on the disk is not of this run; None if it is."""
        try:
            stored = read_manifest(self.path / _MANIFEST)
        except StoreError as error:
            return str(error)
        if stored is not None:
            differences = self.manifest.differences(stored)
            told = f"holds another run (--force discards it); what differs: {'; '.join(differences)}"
            return told if differences else None
        # The manifest is damaged, or was lost: the chunks say which run they are of.
        for chunk, file in self._files().items():
            try:
                if run_of(file, chunk) != self.manifest.run:
                    return f"{_MANIFEST} is damaged, and the chunks are those of another run"
            except DamagedChunk:
                continue
        return None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; more than once does no harm."""
        self._lock.release()

    def pending(self) -> tuple[int, ...]:
        """Chunks that have no file yet, in order. What a file holds is looked at by `verify`."""
        files = self._files()
        return tuple(chunk for chunk in range(self.manifest.chunks) if chunk not in files)

    def write(self, chunk: int, arrays: Mapping[str, Any]) -> None:
        """Keep the results of a chunk; on the disk when this returns. Replaces a damaged file.

        Parameters
        ----------
        chunk
            Number of the chunk.
        arrays
            Arrays by name, first axis candidate, of the length of the chunk.

        Raises
        ------
        StoreFull
            No room on the disk; all finished chunks are kept.
        StoreError
            Arrays of another length, no such chunk, or a process that did not open the store.
        """
        if not self._lock.held:
            raise StoreError(f"{self.path}: only the process that has the store open writes to it")
        start, stop = self.manifest.span(chunk)
        values = {name: np.asarray(array) for name, array in arrays.items()}
        for name, array in values.items():
            if array.shape[:1] != (stop - start,):
                raise StoreError(f"chunk {chunk}: {name} of shape {array.shape} is not of {stop - start} candidates")
        write_chunk(self._file(chunk), chunk, self.manifest.run, values)

    def read(self, chunk: int) -> dict[str, np.ndarray]:
        """Arrays of a finished chunk by name, read-only.

        Raises
        ------
        DamagedChunk
            The file is not what was written.
        StoreError
            The chunk is not finished, or there is no such chunk.
        """
        self.manifest.span(chunk)
        try:
            return read_chunk(self._file(chunk), chunk, self.manifest.run)
        except FileNotFoundError:
            raise StoreError(f"{self.path}: chunk {chunk} is not finished") from None

    def verify(self) -> tuple[DamagedChunk, ...]:
        """Read every finished chunk and list the damaged ones, which are to be computed again."""
        damaged = []
        for chunk in sorted(self._files().keys() & set(range(self.manifest.chunks))):
            try:
                self.read(chunk)
            except DamagedChunk as error:
                damaged.append(error)
        return tuple(damaged)

    def finish(
        self,
        path: str | Path,
        variables: Mapping[str, Variable],
        *,
        coordinates: Mapping[str, Coordinate] | None = None,
        attributes: Mapping[str, Any] | None = None,
        compression: int = 1,
    ) -> None:
        """Stream all chunks into one HDF5 file, in the memory of some chunks; the same run gives the same bytes.

        Parameters
        ----------
        path
            Target; replaced as a whole.
        variables
            Unit, description and axes of every array of the chunks.
        coordinates
            Values along axes other than candidate; an axis without is numbered.
        attributes
            Provenance beside that of the manifest, the same each time: device and package versions, no dates.
        compression
            Level of gzip, 0 (none, fastest) to 9.

        Raises
        ------
        DamagedChunk
            A chunk is damaged; nothing is written.
        StoreFull
            No room on the disk; the chunks are kept.
        StoreError
            Chunks are missing, or do not fit the description.
        """
        missing = self.pending()
        if missing:
            raise StoreError(
                f"{self.path}: {len(missing)} of {self.manifest.chunks} chunks are missing ({missing[0]} …)"
            )
        assemble(Path(path), self.manifest, self.read, variables, coordinates or {}, attributes or {}, compression)

    def _file(self, chunk: int) -> Path:
        return self.path / f"{chunk:08d}.chunk"

    def _files(self) -> dict[int, Path]:
        matches = ((_CHUNK.fullmatch(entry.name), entry) for entry in self.path.iterdir())
        return {int(match[1]): entry for match, entry in matches if match}


def _is_ours(name: str) -> bool:
    whole = target_of(name) or name
    return whole in (_MANIFEST, _LOCK) or _CHUNK.fullmatch(whole) is not None
