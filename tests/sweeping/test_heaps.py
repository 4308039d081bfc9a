"""Damage that HDF5 does not survive is found before the library meets it: heaps of texts, types of attributes."""

import struct
from pathlib import Path

import h5py
import pytest

from npp_jax.sweeping.store.heaps import damaged_heap
from npp_jax.sweeping.store.reading import FileFault, reading

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
    assert SIGNATURE in result.read_bytes() and damaged_heap(result) is None
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
    assert damaged_heap(result) == heap
    with pytest.raises(FileFault, match=rf"result.h5: not a result, or damaged \(the heap of texts at byte {heap}\)$"):
        with reading(result, "a result"):
            pass


def test_a_heap_in_another(result: Path):
    content = bytearray(result.read_bytes())
    first = content.index(SIGNATURE)
    content[first + 64 : first + 80] = SIGNATURE + bytes(3) + struct.pack("<Q", 4096)
    result.write_bytes(content)
    # The second lies where a text of the first was, and reaches to its end.
    assert damaged_heap(result) == first + 64


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
