"""Damage that HDF5 does not survive is found before the library meets it: heaps of texts, types of attributes."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from npp_jax.store.heaps import look_at_heaps
from npp_jax.store.reading import FileFault, reading

SIGNATURE = b"GCOL\x01"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """Texts that fill several heaps."""
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "a result"
        file.create_dataset("names", data=[f"{k:0100d}" for k in range(200)], dtype=h5py.string_dtype())
    return path


def objects(content: bytes) -> list[int]:
    """Where the objects of the first heap begin, the free space last."""
    place = content.index(SIGNATURE) + 16
    found = []
    while True:
        found.append(place)
        number, size = struct.unpack_from("<H6xQ", content, place)
        if not number:
            return found
        place += 16 + -(-size // 8) * 8


def test_sound_heaps_are_read(result: Path):
    assert SIGNATURE in result.read_bytes() and look_at_heaps(result).damaged is None
    with reading(result, "a result") as reader:
        assert reader.text("title") == "a result" and len(reader.names("names", ("name",))) == 200


@pytest.mark.parametrize("size", [0, 24, 1 << 40, (1 << 64) - 16, (1 << 64) - 1])
@pytest.mark.parametrize("which", [0, -1])
def test_a_size_that_leads_nowhere(result: Path, size: int, which: int):
    content = bytearray(result.read_bytes())
    place = objects(content)[which]
    struct.pack_into("<Q", content, place + 8, size)
    result.write_bytes(content)
    heap = content.index(SIGNATURE)
    assert look_at_heaps(result).damaged == heap
    with pytest.raises(FileFault, match=rf"result.h5: not a result, or damaged \(the heap of texts at byte {heap}\)$"):
        with reading(result, "a result"):
            pass


def test_a_heap_in_another(result: Path):
    content = bytearray(result.read_bytes())
    first = content.index(SIGNATURE)
    content[first + 64 : first + 80] = SIGNATURE + bytes(3) + struct.pack("<Q", 4096)
    result.write_bytes(content)
    # The second lies where a text of the first was, and reaches to its end.
    assert look_at_heaps(result).damaged == first + 64


LONG = 1 << 20


def test_many_texts_that_are_one_long_one(tmp_path: Path):
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as file:
        names = file.create_dataset("names", (1000,), h5py.string_dtype())
        names[0] = "x" * LONG
        file.flush()
        place = names.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16_000] = content[place : place + 16] * 1000
    path.write_bytes(content)
    assert look_at_heaps(path) == (None, LONG)
    with pytest.raises(FileFault, match=rf"result.h5: 'names' claims up to {1000 * LONG} bytes of texts"):
        with reading(path, "a result") as reader:
            reader.names("names", ("name",))


def test_an_attribute_of_many_texts_beside_a_long_one(tmp_path: Path):
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as file:
        file["long"] = "x" * LONG
        file.attrs.create("few", ["a", "b"], dtype=h5py.string_dtype())
        file.attrs.create("many", ["a"] * 1000, dtype=h5py.string_dtype())
    with reading(path, "a result") as reader:
        assert reader.attribute("few").tolist() == ["a", "b"] and reader.text("long") == "x" * LONG
        assert reader.attribute("many") is None


def test_an_attribute_of_bytes_that_are_no_text(result: Path):
    with h5py.File(result, "r+") as file:
        file.attrs["study"] = b"a\xff\xfeb"
        file.attrs.create("keys", [b"\xff", b"b"], dtype=h5py.string_dtype())
    with reading(result, "a result") as reader:
        assert reader.text("study") == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
        assert reader.attribute("keys").tolist() == ["\N{REPLACEMENT CHARACTER}", "b"]


def test_a_chunk_far_longer_than_its_array(result: Path):
    with h5py.File(result, "r+") as file:
        data = file.create_dataset("x", (4,), "f8", maxshape=(None,), chunks=(1 << 22,), compression="gzip")
        data[...] = 1.0
    with reading(result, "a result") as reader:
        with pytest.raises(FileFault, match=r"result.h5: 'x' has chunks of \(4194304,\), longer than itself"):
            reader.array("x", ("point",))


def test_a_text_of_a_type_that_is_none(result: Path):
    content = bytearray(result.read_bytes())
    # Class 9, a sequence or text of any length, and in its first bits which of both.
    place = content.index(bytes([0x19, 1]), content.index(b"title\0"))
    content[place + 1] |= 6
    result.write_bytes(content)
    with reading(result, "a result") as reader:
        assert reader.attribute("title") is None


def test_groups_and_links(result: Path):
    with h5py.File(result, "a") as file:
        file.create_group("a/b")
        file["a/c"] = 1.0
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
    with reading(result, "a result") as reader:
        assert reader.groups("a") == ["b"] and reader.groups("names") == reader.groups("none") == []
        assert "a/c" in reader and "a/d" not in reader and "elsewhere/d" in reader
        with pytest.raises(FileFault, match="'elsewhere' is a link to somewhere else, which is not followed"):
            reader.groups()


def test_a_name_that_no_figure_could_lay_out(result: Path):
    with h5py.File(result, "r+") as file:
        file["species"] = ["x" * 300_000]
    with reading(result, "a result") as reader:
        with pytest.raises(FileFault, match=r"result.h5: 'species' has a name of 300000 signs"):
            reader.names("species", ("species",))


def test_numbers_in_the_order_of_bytes_of_another_machine_are_those_of_this_one(tmp_path: Path):
    with h5py.File(tmp_path / "swapped.h5", "w") as file:
        file["x"] = np.array([1.0, 2.0], ">f8")
        file["far"] = np.array([1e308], ">f8")
    with reading(tmp_path / "swapped.h5", "a result") as reader:
        values = reader.array("x", ("x",))
        assert values.dtype.isnative and values.tolist() == [1.0, 2.0]
        with pytest.raises(FileFault, match="no quantity is so large"):
            reader.array("far", ("far",))
