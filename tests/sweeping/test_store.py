"""The store under real faults: killed processes, damaged files, full disks, a second process."""

import dataclasses
import errno
import hashlib
import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
import sweep_run
from sweep_run import COORDINATES, VARIABLES, arrays, complete, finish, manifest

from npp_jax.store.disk import part_of, target_of
from npp_jax.sweeping import (
    Coordinate,
    DamagedChunk,
    Manifest,
    Store,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreMismatch,
    Variable,
    as_stored,
)

SMALL = manifest(5, 2)
SCRIPT = sweep_run.__file__


def script(*arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def uninterrupted(folder: Path, run: Manifest) -> bytes:
    folder.mkdir()
    complete(folder, run)
    return (folder / "out.h5").read_bytes()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A small run of three chunks, all of them finished."""
    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        for chunk in store.pending():
            store.write(chunk, arrays(SMALL, chunk))
        yield store


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether names, types, shapes and bits agree."""
    return a.keys() == b.keys() and all(
        (a[k].dtype, a[k].shape, a[k].tobytes()) == (b[k].dtype, b[k].shape, b[k].tobytes()) for k in a
    )


# -- what is kept


def test_arrays_come_back_to_the_last_bit(store: Store):
    assert store.pending() == () and store.verify() == ()
    for chunk in range(3):
        assert same(store.read(chunk), arrays(SMALL, chunk))
    with pytest.raises(ValueError, match="read-only"):
        store.read(0)["status"][0] = 1


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False]),
        np.array([[1, -2, 3], [4, 5, 6]], np.int8),
        np.array([1, 2], ">i4"),
        np.asfortranarray(np.arange(12.0).reshape(2, 3, 2)),
        np.arange(24.0)[::12],
        np.array([1.5, np.nan], np.float16),
        np.array([1 + 2j, 3], np.complex64),
        np.zeros((2, 0, 4), np.uint64),
        jnp.array([1.0, 2.0], jnp.float32),
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
def test_every_type_of_number_is_kept(values, tmp_path: Path):
    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        store.write(0, {"x": values})
        kept = store.read(0)["x"]
    np.testing.assert_array_equal(kept, np.asarray(values))
    assert kept.dtype == np.asarray(values).dtype.newbyteorder("<") and kept.shape == values.shape


def test_the_order_of_the_arrays_does_not_matter(store: Store):
    before = (store.path / "00000000.chunk").read_bytes()
    store.write(0, dict(reversed(arrays(SMALL, 0).items())))
    assert (store.path / "00000000.chunk").read_bytes() == before


@pytest.mark.parametrize(
    ("chunk", "values", "message"),
    [
        (0, {"x": np.zeros(3)}, r"chunk 0: x of shape \(3,\) is not of 2 candidates"),
        (0, {"x": 1.0}, r"x of shape \(\) is not of 2 candidates"),
        (2, {"x": np.zeros(2)}, "is not of 1 candidates"),
        (3, {"x": np.zeros(1)}, "chunk 3 is not among the 3 of the run"),
        (-1, {"x": np.zeros(1)}, "chunk -1 is not among"),
        (0, {"x": np.array(["a", "b"])}, "x is of type <U1, which is no number"),
        (0, {"x": np.array([None, None])}, "x is of type object"),
    ],
)
def test_wrong_arrays_are_refused(chunk: int, values: dict, message: str, tmp_path: Path):
    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        with pytest.raises(StoreError, match=message):
            store.write(chunk, values)
        assert store.pending() == (0, 1, 2)


def test_a_chunk_that_is_not_finished_is_named(tmp_path: Path):
    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        store.write(1, arrays(SMALL, 1))
        assert store.pending() == (0, 2)
        with pytest.raises(StoreError, match="chunk 2 is not finished"):
            store.read(2)
        with pytest.raises(StoreError, match=r"2 of 3 chunks are missing \(0 …\)"):
            finish(store, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


# -- the final file


def test_the_final_file_holds_the_results_with_axes_units_and_provenance(store: Store, tmp_path: Path):
    finish(store, tmp_path / "out.h5")
    expected = [arrays(SMALL, chunk) for chunk in range(3)]
    with h5py.File(tmp_path / "out.h5") as file:
        for name, variable in VARIABLES.items():
            data = file[name]
            whole = np.concatenate([part[name] for part in expected])
            assert data[()].tobytes() == whole.tobytes() and data.dtype == whole.dtype
            assert (data.attrs["units"], data.attrs["long_name"]) == (variable.units, variable.long_name)
            assert data.compression == "gzip" and data.chunks is not None and data.fletcher32
            axes = ("candidate", *variable.dims)
            assert tuple(dim.label for dim in data.dims) == axes
            for dim, axis, length in zip(data.dims, axes, data.shape, strict=True):
                assert dim[0] == file[axis] and file[axis].is_scale and file[axis].shape == (length,)
        np.testing.assert_array_equal(file["candidate"], np.arange(5))
        np.testing.assert_array_equal(file["depth"], COORDINATES["depth"].values)
        np.testing.assert_array_equal(file["step"], np.arange(3))
        assert [name.decode() for name in file["species"][()]] == ["Li", "K"]
        assert file["depth"].attrs["units"] == "m" and file["status"].attrs["flag_meanings"] == "done failed"
        assert file["configuration"][()].decode() == SMALL.configuration
        assert dict(file.attrs) == {
            "schema_version": 2,
            "title": "npp_jax sweep",
            "npp_jax_version": "0.1.0",
            "dtype": "float64",
            "design": "f00d",
            "configuration_sha256": SMALL.configuration_sha256,
            "run": SMALL.run,
            "device": "cpu",
        }


def test_a_byte_of_the_final_file_that_changed_is_noticed(store: Store, tmp_path: Path):
    finish(store, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        piece = file["fraction"].id.get_chunk_info(0)
    data = bytearray((tmp_path / "out.h5").read_bytes())
    data[piece.byte_offset + piece.size // 2] ^= 1
    (tmp_path / "out.h5").write_bytes(data)
    with h5py.File(tmp_path / "out.h5") as file, pytest.raises(OSError, match="read"):
        file["fraction"][()]


@pytest.mark.parametrize(
    ("variables", "coordinates", "message"),
    [
        ({k: v for k, v in VARIABLES.items() if k != "status"}, COORDINATES, "differ in status"),
        ({**VARIABLES, "more": Variable("1", "more")}, COORDINATES, "differ in more"),
        ({**VARIABLES, "trace": Variable("V", "potential")}, COORDINATES, "does not fit the axes"),
        ({**VARIABLES, "trace": Variable("V", "potential", ("depth",))}, COORDINATES, "3 values along depth"),
        (VARIABLES, {"status": Coordinate(np.zeros(2), "1", "x")}, "status: the name is taken"),
        (VARIABLES, {"candidate": Coordinate(np.zeros(5), "1", "x")}, "candidate: the name is taken"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(store: Store, variables, coordinates, message: str, tmp_path: Path):
    with pytest.raises(StoreError, match=message):
        store.finish(tmp_path / "out.h5", variables, coordinates=coordinates)
    assert [path.name for path in tmp_path.iterdir()] == ["run.sweep"]


def test_chunks_that_do_not_fit_one_another_are_refused(store: Store, tmp_path: Path):
    store.write(1, {**arrays(SMALL, 1), "trace": np.zeros((2, 4))})
    with pytest.raises(StoreError, match=r"chunk 1: trace is float64 \(4,\), in chunk 0 float64 \(3,\)"):
        finish(store, tmp_path / "out.h5")


def test_the_final_file_is_written_in_the_memory_of_a_few_chunks(tmp_path: Path):
    run, values = Manifest("", "0.1.0", "float64", 9600, 100), np.zeros((100, 800))
    with Store.open(tmp_path / "run.sweep", run) as store:
        for chunk in store.pending():
            store.write(chunk, {"x": values + chunk})
        tracemalloc.start()
        store.finish(tmp_path / "out.h5", {"x": Variable("1", "x", ("point",))})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 * values.nbytes < run.chunks * values.nbytes / 10
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["x"][:, 0], np.repeat(np.arange(96.0), 100))


# -- kills


def test_a_run_killed_at_random_moments_ends_in_the_same_file(tmp_path: Path):
    (tmp_path / "killed").mkdir()
    left = json.loads(script("random", tmp_path / "killed", 7))
    assert sum(0 < chunks < 60 for chunks in left) >= 3, f"too few kills in the middle: {left}"
    assert (tmp_path / "killed" / "out.h5").read_bytes() == uninterrupted(tmp_path / "whole", manifest(240, 4))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_a_run_killed_before_any_of_its_calls_ends_in_the_same_file(tmp_path: Path):
    (tmp_path / "killed").mkdir()
    steps, results = json.loads(script("steps", tmp_path / "killed"))
    # Two chunks, the manifest and the final file, each opened, written, synchronised, closed and renamed.
    assert steps > 4 * 5 and results == 1
    assert (tmp_path / "killed" / "out.h5").read_bytes() == uninterrupted(tmp_path / "whole", manifest(3, 2))


def test_an_interrupt_while_the_final_file_is_made_leaves_none_or_the_whole(tmp_path: Path):
    ends = json.loads(script("heard", tmp_path, 5))
    assert ends["raised"] > 10
    assert not list(tmp_path.rglob("*.part"))


def plain_name(path: str | Path) -> str:
    """Name of a file, without that of its writer."""
    name = Path(path).name
    return name if target_of(name) is None else f".{target_of(name)}.part"


def test_content_is_on_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The order that survives a power failure: content, name, folder."""
    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        seen: list[str] = []
        names: dict[int, str] = {}
        plain = {name: getattr(os, name) for name in ("open", "write", "fsync", "replace")}

        def opened(path, *arguments, **options):
            descriptor = plain["open"](path, *arguments, **options)
            names[descriptor] = plain_name(path)
            return descriptor

        def told(name: str):
            def call(first, *rest):
                seen.append(f"{name} {names.get(first, first) if isinstance(first, int) else plain_name(first)}")
                return plain[name](first, *rest)

            return call

        monkeypatch.setattr(os, "open", opened)
        for name in ("write", "fsync", "replace"):
            monkeypatch.setattr(os, name, told(name))
        store.write(0, arrays(SMALL, 0))
        monkeypatch.undo()
    part = ".00000000.chunk.part"
    assert list(dict.fromkeys(seen)) == [f"write {part}", f"fsync {part}", f"replace {part}", "fsync run.sweep"]


# -- damage


def damaged_copies(data: bytes, step: int = 1) -> Iterator[bytes]:
    """Every truncation and a flipped bit in every byte, or in each `step`-th; and one byte too many."""
    for length in range(0, len(data), step):
        yield data[:length]
        yield data[:length] + bytes([data[length] ^ (1 << length % 8)]) + data[length + 1 :]
    yield data + b"\0"


@pytest.mark.parametrize(("chunk", "step"), [(0, 7), (1, 5), (2, 1)])
def test_any_damage_to_a_chunk_is_found(store: Store, chunk: int, step: int):
    path = store.path / f"{chunk:08d}.chunk"
    whole = path.read_bytes()
    for data in damaged_copies(whole, step):
        path.write_bytes(data)
        with pytest.raises(DamagedChunk) as caught:
            store.read(chunk)
        assert (caught.value.chunk, caught.value.path) == (chunk, path)
        assert f"chunk {chunk} is damaged" in str(caught.value) and "\n" not in str(caught.value)
    path.write_bytes(whole)
    assert same(store.read(chunk), arrays(SMALL, chunk))


def test_damaged_chunks_are_listed_and_computed_again_to_the_same_file(store: Store, tmp_path: Path):
    expected = uninterrupted(tmp_path / "whole", SMALL)
    first, last = (store.path / f"{chunk:08d}.chunk" for chunk in (0, 2))
    first.write_bytes(first.read_bytes()[:-70])
    last.write_bytes(last.read_bytes().replace(b"float", b"floet").replace(b"NPPCHNK1", b"NPPCHNK2"))
    assert [error.chunk for error in store.verify()] == [0, 2] and store.pending() == ()
    with pytest.raises(DamagedChunk):
        finish(store, tmp_path / "out.h5")
    assert not list(tmp_path.glob("*out.h5*"))
    for error in store.verify():
        store.write(error.chunk, arrays(SMALL, error.chunk))
    assert store.verify() == ()
    finish(store, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_bytes() == expected


def test_the_chunk_of_another_number_or_run_is_found(store: Store, tmp_path: Path):
    shutil.copy(store.path / "00000000.chunk", store.path / "00000001.chunk")
    other = manifest(5, 1)
    with Store.open(tmp_path / "other.sweep", other) as strange:
        strange.write(2, arrays(other, 2))
    shutil.copy(tmp_path / "other.sweep" / "00000002.chunk", store.path / "00000002.chunk")
    reasons = [(error.chunk, error.reason) for error in store.verify()]
    assert reasons == [(1, "the content is that of chunk 0"), (2, "the content is that of another run")]


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"null",
        b"{}",
        b'{"arrays":[{}],"chunk":0,"run":"RUN"}',
        b'{"arrays":[{"dtype":"O","name":"x","offset":0,"shape":[1]}],"chunk":0,"run":"RUN"}',
        b'{"arrays":[{"dtype":"<f8","name":"x","offset":0,"shape":[1e999]}],"chunk":0,"run":"RUN"}',
    ],
)
def test_a_header_that_was_not_written_is_damage_though_its_checksum_is_right(store: Store, header: bytes):
    path = store.path / "00000000.chunk"
    header = header.replace(b"RUN", store.manifest.run.encode())
    body = len(header).to_bytes(8, "little") + header
    path.write_bytes(b"NPPCHNK1" + hashlib.sha256(body).digest() + body)
    with pytest.raises(DamagedChunk, match="its header is not one that was written"):
        store.read(0)


def test_a_file_beyond_the_run_is_ignored(store: Store):
    shutil.copy(store.path / "00000000.chunk", store.path / "00000099.chunk")
    assert store.pending() == () and store.verify() == ()


def test_a_damaged_manifest_is_restored_from_the_chunks_and_never_taken_for_another(store: Store):
    store.close()
    path = store.path / "manifest.json"
    whole = path.read_bytes()
    other = Manifest("other", "0.1.0", "float64", 5, 2)
    for data in [b"", b"null", b"[]", b"[" * 100_000, b"\xff", *damaged_copies(whole, 19)]:
        path.write_bytes(data)
        with pytest.raises(StoreMismatch, match="the chunks are those of another run"):
            Store.open(store.path, other)
        with Store.open(store.path, SMALL) as again:
            assert again.pending() == () and again.verify() == ()
        assert path.read_bytes() == whole
    path.unlink()
    with Store.open(store.path, SMALL) as again:
        assert again.pending() == ()
    assert path.read_bytes() == whole


# -- another run


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"configuration": "[sample]\nthickness_um = 400.0"},
            "line 2: stored 'thickness_um = 500.0', now 'thickness_um = 400.0'",
        ),
        ({"version": "0.2.0"}, "version (stored 0.1.0, now 0.2.0)"),
        ({"dtype": "float32"}, "dtype (stored float64, now float32)"),
        ({"candidates": 6}, "candidates (stored 5, now 6)"),
        ({"chunk_size": 3}, "chunk_size (stored 2, now 3)"),
        ({"design": "beef"}, "design (other candidates)"),
        ({"dtype": "float32", "version": "0.2.0"}, "version (stored 0.1.0, now 0.2.0); dtype (stored"),
    ],
)
def test_another_run_is_refused_by_what_differs_and_replaced_on_demand(store: Store, changes: dict, named: str):
    store.close()
    other = dataclasses.replace(SMALL, **changes)
    with pytest.raises(StoreMismatch) as caught:
        Store.open(store.path, other)
    assert named in str(caught.value) and "\n" not in str(caught.value)
    with Store.open(store.path, SMALL) as kept:
        assert kept.pending() == ()
    with Store.open(store.path, other, force=True) as replaced:
        assert replaced.pending() == tuple(range(other.chunks))
    with Store.open(store.path, other) as resumed:
        assert resumed.manifest == other
    with pytest.raises(StoreMismatch):
        Store.open(store.path, SMALL)


def test_only_the_same_run_passes_its_cut_on(store: Store):
    assert as_stored(store.path, dataclasses.replace(store.manifest, chunk_size=999)) == store.manifest
    other = dataclasses.replace(store.manifest, chunk_size=999, candidates=store.manifest.candidates + 1)
    assert as_stored(store.path, other) == other
    assert as_stored(store.path / "nothing", other) == other


def test_force_keeps_the_chunks_of_the_same_run(store: Store):
    store.close()
    with Store.open(store.path, SMALL, force=True) as again:
        assert again.pending() == ()


def test_a_manifest_of_another_schema_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.close()
    monkeypatch.setattr("npp_jax.store.manifest.SCHEMA_VERSION", 3)
    with pytest.raises(StoreMismatch, match="schema_version 2, this version reads 3: discard it with --force"):
        Store.open(store.path, SMALL)
    with Store.open(store.path, SMALL, force=True) as anew:
        assert len(anew.pending()) == anew.manifest.chunks


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    for force in (False, True):
        with pytest.raises(StoreMismatch, match=r"a folder of other files \(letter.txt\), not of a sweep"):
            Store.open(tmp_path, SMALL, force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("place", ["nowhere/run.sweep", "file/run.sweep", "file"])
def test_a_folder_that_cannot_be_made_is_named(place: str, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=place) as caught:
        Store.open(tmp_path / place, SMALL)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"candidates": 0}, {"chunk_size": 0}])
def test_an_empty_run_is_refused(changes: dict):
    with pytest.raises(StoreError, match="must be 1 or more"):
        Manifest(**{"configuration": "", "version": "", "dtype": "", "candidates": 1, "chunk_size": 1, **changes})


# -- full disks


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_full_disk_loses_nothing(call: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected = uninterrupted(tmp_path / "whole", SMALL)

    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    with Store.open(tmp_path / "run.sweep", SMALL) as store:
        store.write(0, arrays(SMALL, 0))
        for _ in range(2):
            monkeypatch.setattr(os, call, fail)
            with pytest.raises(StoreFull, match="finished chunks are kept, make room and run again to resume"):
                store.write(1, arrays(SMALL, 1))
            monkeypatch.undo()
            assert store.pending() == (1, 2) and store.verify() == ()
            assert not list(tmp_path.rglob("*.part"))
        for chunk in store.pending():
            store.write(chunk, arrays(SMALL, chunk))
        finish(store, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_bytes() == expected


def test_a_disk_that_fails_is_not_called_full(store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="Input/output error") as caught:
        store.write(1, arrays(SMALL, 1))
    assert not isinstance(caught.value, StoreFull)
    assert same(store.read(1), arrays(SMALL, 1))


def test_a_final_file_that_grows_too_large_at_any_size_leaves_the_former_one(tmp_path: Path):
    """The kernel refuses to let the file grow, which HDF5 alone does not survive."""
    run = manifest(400, 100)
    expected = uninterrupted(tmp_path / "whole", run)
    (tmp_path / "out.h5").write_text("former")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store.open(tmp_path / "whole" / "run.sweep", run) as store:
        for size in (0, 100, 2048, *range(5000, len(expected), len(expected) // 5), len(expected) - 1):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))
            try:
                with pytest.raises(StoreFull):
                    finish(store, tmp_path / "out.h5")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            assert (tmp_path / "out.h5").read_text() == "former"
        finish(store, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5", "whole"]


@pytest.mark.parametrize("size", ["300k", "700k"])
def test_a_small_disk_is_filled_enlarged_and_the_run_resumed(size: str, tmp_path: Path):
    """A real file system of its own: too small for all chunks, or for the final file."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={size} none {disk}"
    try:
        able = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    if not able:
        pytest.skip("no right to mount a file system of its own")
    work = f"{mount} && {sys.executable} {SCRIPT} full {disk}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", work], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    message, _, result = done.stdout.partition(b"\n")
    kept, _, text = message.decode().partition(" ")
    assert (0 < int(kept) < 16) if size == "300k" else int(kept) == 16
    assert "No space left on device; finished chunks are kept" in text
    assert result == uninterrupted(tmp_path / "whole", manifest(4000, 250))


# -- what others put in the way


def test_a_link_in_place_of_the_file_that_is_written_leads_nowhere(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = tmp_path / "letter.txt"
    own.write_text("dear")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    parts = [part_of(store.path / "00000001.chunk"), part_of(tmp_path / "out.h5")]
    for part in parts:
        part.symlink_to(own)
    for write in (lambda: store.write(1, arrays(SMALL, 1)), lambda: finish(store, tmp_path / "out.h5")):
        with pytest.raises(StoreError, match="File exists"):
            write()
    monkeypatch.undo()
    store.write(1, arrays(SMALL, 1))
    finish(store, tmp_path / "out.h5")
    store.close()
    (store.path / "lock").unlink()
    (store.path / "lock").hardlink_to(own)
    Store.open(store.path, SMALL).close()
    assert own.read_text() == "dear"
    (store.path / "lock").unlink()
    (store.path / "lock").symlink_to(own)
    with pytest.raises(StoreError, match="lock: Too many levels of symbolic links"):
        Store.open(store.path, SMALL)
    assert own.read_text() == "dear" and same(store.read(1), arrays(SMALL, 1))
    assert not (tmp_path / "out.h5").is_symlink()


# -- a second process


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path):
    command = [sys.executable, SCRIPT, "hold", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker, told = json.loads(process.stdout.readline())
        try:
            assert "only the process that has the store open writes to it" in told
            with pytest.raises(StoreLocked, match=f"in use by process {process.pid} on "):
                Store.open(tmp_path / "run.sweep", SMALL)
            process.kill()
            process.wait()
            # A worker that outlives the process does not keep its lock.
            os.kill(worker, 0)
            with Store.open(tmp_path / "run.sweep", SMALL) as store:
                assert store.pending() == (0, 1, 2)
        finally:
            process.kill()
            os.kill(worker, signal.SIGKILL)


def test_one_process_opens_a_store_once(store: Store):
    with pytest.raises(StoreLocked, match="already open in this process"):
        Store.open(store.path, SMALL)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="only the process that has the store open"):
        store.write(0, arrays(SMALL, 0))
    with Store.open(store.path, SMALL) as again:
        store.close()
        again.write(0, arrays(SMALL, 0))


def test_a_refused_run_is_not_left_locked(store: Store):
    store.close()
    for _ in range(2):
        with pytest.raises(StoreMismatch):
            Store.open(store.path, manifest(7, 2))
