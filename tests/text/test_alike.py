"""Two files that say the same in another dress give the same bits, whichever reader reads them."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest

from npp_jax.commands.tracer.data import read_isotope_profile
from npp_jax.files.profile_table import read_profile
from npp_jax.files.trace import read_trace
from npp_jax.physics.limits import above
from npp_jax.sims import read_raw
from npp_jax.sweeping import read_table

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
SEPARATORS = (",", ";", "\t", " ", "|", " ; ")
LINE_ENDS = ("\n", "\r\n", "\r")
QUOTES = ("none", "titles", "all")


Rows: TypeAlias = tuple[tuple[str, ...], ...]


class Reader(NamedTuple):
    """A reader, and what it makes of a file."""

    titles: tuple[str, ...]
    rows: Rows
    read: Callable[[Path], list[np.ndarray]]


def trace(path: Path) -> list[np.ndarray]:
    drive = read_trace(path, "potential_V", above(0.0, 1e5), duration=9.0, charge=None)
    assert drive.time is not None
    return [np.asarray(drive.time), np.asarray(drive.value)]


def profile(path: Path) -> list[np.ndarray]:
    found = read_profile(path, counts_per_fraction=2000.0)
    assert found.species == ("Na", "Cs") and found.counts is not None
    return [np.asarray(x) for x in (found.depth, found.fraction, found.sigma, found.counts)]


def design(path: Path) -> list[np.ndarray]:
    found = read_table(path, ("sed_fwhm_eV", "D_Cs_m2_s"))
    return [np.asarray([found.names]), found.values]


def isotopes(path: Path) -> list[np.ndarray]:
    found = read_isotope_profile(path)
    return [np.asarray(x) for x in (found.position, found.fraction, found.error)]


def sims(path: Path) -> list[np.ndarray]:
    raw = read_raw(path)
    return [x for channel in raw.channels for x in (channel.axis, channel.values)]


def rows(*columns: Callable[[int], float]) -> Rows:
    return tuple(tuple(repr(column(k)) for column in columns) for k in range(10))


READERS = {
    "trace": Reader(("time_s", "potential_V"), rows(float, lambda k: 10.0173 + k / 7), trace),
    "profile": Reader(
        ("depth_nm", "Na", "Na_sigma", "Cs", "Cs_sigma"),
        rows(lambda k: k + 0.25, lambda k: k / 9, lambda k: 0.01 + k / 900, lambda k: 1 - k / 9, lambda k: 1e-5 + k),
        profile,
    ),
    "design": Reader(("sed_fwhm_eV", "D_Cs_m2_s"), rows(lambda k: 0.1 + k / 30, lambda k: 1.7e-23 * (k + 1)), design),
    "design of one column": Reader(("sed_fwhm_eV",), rows(lambda k: 0.1 + k / 30), design),
    "isotopes": Reader(
        ("position_um", "fraction", "fraction_sigma"),
        rows(lambda k: 0.005 + k / 100, lambda k: 0.9 / (k + 1), lambda k: 0.003 + k / 1e4),
        isotopes,
    ),
    "counts": Reader(
        ("Tiefe (µm)", "light_counts", "heavy_counts"),
        rows(lambda k: 0.005 + k / 100, lambda k: 7 * k, lambda k: 90 - k),
        isotopes,
    ),
    "sims": Reader(
        ("Time (s)", "7Li+ (counts)", "39K+ [counts/s]"),
        rows(lambda k: 1.5 * k + 0.25, lambda k: 3 * k, lambda k: 9.5 - k),
        sims,
    ),
}  # fmt: skip


def dressed(reader: Reader, encoding: str, separator: str, decimal: str, quotes: str, end: str) -> bytes:
    def line(cells: tuple[str, ...], quoted: bool) -> str:
        return separator.join(f'"{cell}"' if quoted else cell for cell in cells)

    numbers = (tuple(cell.replace(".", decimal) for cell in row) for row in reader.rows)
    lines = ["# Gerät 6517, Probe für Versuch 3; µm", "", line(reader.titles, quotes != "none")]
    lines += [line(row, quotes == "all") for row in numbers]
    return end.join([*lines[:6], "# a pause", *lines[6:], ""]).encode(encoding)


def dresses() -> Iterator[tuple[str, str, str, str, str]]:
    """A fifth of all, in which each pair of choices still occurs."""
    choices = (ENCODINGS, SEPARATORS, (".", ","), QUOTES, LINE_ENDS)
    for places in itertools.product(*(range(len(choice)) for choice in choices)):
        encoding, separator, decimal, quotes, end = (choice[k] for choice, k in zip(choices, places, strict=True))
        # Commas between the cells and in them cannot be told apart, unless quotation marks hold those in them.
        if (separator, decimal) == (",", ",") and quotes != "all":
            continue
        if sum(places) % 5 == 0:
            yield encoding, separator, decimal, quotes, end


@pytest.mark.parametrize("name", READERS)
def test_every_dress_gives_the_same_bits(name: str, tmp_path: Path):
    reader, path = READERS[name], tmp_path / "table.txt"
    path.write_bytes(dressed(reader, "utf-8", ",", ".", "none", "\n"))
    plain = reader.read(path)
    for dress in dresses():
        path.write_bytes(dressed(reader, *dress))
        try:
            found = reader.read(path)
        except ValueError as error:
            raise AssertionError(dress) from error
        assert [x.tobytes() for x in found] == [x.tobytes() for x in plain], dress


@pytest.mark.parametrize("name", [name for name in READERS if name != "design of one column"])
def test_what_may_be_read_in_two_ways_is_refused(name: str, tmp_path: Path):
    path = tmp_path / "table.txt"
    path.write_bytes(dressed(READERS[name], "utf-8", ",", ",", "none", "\n"))
    with pytest.raises(ValueError, match=r"titles; .* were expected") as caught:
        READERS[name].read(path)
    assert "\n" not in str(caught.value)
