"""Designs: cut anywhere to the same bits, spread as they promise, tables that are checked."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

from npp_jax.inference import Parameter, ParameterError, Prior
from npp_jax.sweeping import (
    AbstractDesign,
    DesignError,
    Grid,
    LatinHypercube,
    Sobol,
    Table,
    Uniform,
    fingerprint,
    read_table,
    rows,
)
from npp_jax.sweeping.design.designs import BLOCK
from npp_jax.sweeping.design.permutation import ROUNDS, permute

AXES = (
    Parameter("temperature_K", (), 300, 400),
    Parameter("D_foreign_m2_s", (), 1e-26, 1e-18, "log"),
    Parameter("vacancy_fraction", (), 1e-4, 0.999, "logit"),
    Parameter("sed_fwhm_eV", (), 0.1, 0.4, levels=7),
)
LEVELS = tuple(Parameter(axis.name, (), axis.low, axis.high, axis.scale, levels=7 + k) for k, axis in enumerate(AXES))
SAMPLED = (Uniform, LatinHypercube, Sobol)
SIZE = 3 * BLOCK + 123
DESIGNS = [*(kind(SIZE, 5, parameters=AXES) for kind in SAMPLED), Grid(parameters=LEVELS)]
NAMES = ["uniform", "latin hypercube", "sobol", "grid"]
UNIT = tuple(Parameter(f"p{k}", (), 0.0, 1.0) for k in range(3))
MANY = tuple(Parameter(f"p{k}", (), 0.0, 1.0) for k in range(qmc.Sobol.MAXDIM + 1))


def whole(design: AbstractDesign) -> np.ndarray:
    return rows(design, 0, design.size)


# -- axes


@pytest.mark.parametrize("axis", AXES[:3], ids=lambda axis: axis.scale)
def test_an_axis_is_even_on_its_scale(axis: Parameter):
    share = np.linspace(0.0, 1.0, 101)
    change = {"linear": lambda x: x, "log": np.log, "logit": lambda x: np.log(x / (1 - x))}[axis.scale]
    even = change(axis.low) + share * (change(axis.high) - change(axis.low))
    values = axis.at(share)
    np.testing.assert_allclose(change(values), even, rtol=1e-13, atol=1e-13)
    assert values.min() >= axis.low and values.max() <= axis.high


@pytest.mark.parametrize("scale", ["linear", "log", "logit"])
def test_levels_hold_both_limits_exactly_and_share_the_axis_evenly(scale: str):
    axis = Parameter("x", (), 0.1, 0.7, scale, levels=5)
    levels = axis.level_values()
    assert levels[0] == 0.1 and levels[-1] == 0.7 and np.all(np.diff(levels) > 0.0)
    values, counts = np.unique(axis.at(np.arange(1000) / 1000), return_counts=True)
    np.testing.assert_array_equal(values, levels)
    np.testing.assert_array_equal(counts, 200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", (), 1.0, 1.0), "x: low = 1.0 must be below high = 1.0"),
        (("x", (), 2.0, 1.0), "must be below"),
        (("x", (), float("nan"), 1.0), "must be below"),
        (("x", (), 0.0, float("inf")), "must lie inside"),
        (("x", (), -1e308, 1e308), "overflows"),
        (("x", (), 0.0, 1.0, "log"), "low = 0.0 must be above 0 on the scale 'log'"),
        (("x", (), 0.1, 1.0, "logit"), "the domain of the scale 'logit'"),
    ],
)
def test_a_wrong_axis_is_refused(arguments: tuple, message: str):
    with pytest.raises(ParameterError, match=message) as caught:
        Parameter(*arguments)
    assert "\n" not in str(caught.value)


def test_levels_are_two_or_more():
    with pytest.raises(ParameterError, match="levels = 1 must be 2 or more"):
        Parameter("x", (), 0.1, 1.0, "log", levels=1)


# -- any design


@pytest.mark.parametrize("design", DESIGNS, ids=NAMES)
def test_values_stay_in_range_and_columns_in_order(design: AbstractDesign):
    values = whole(design)
    assert values.shape == (design.size, 4) and values.dtype == np.float64
    assert design.names == tuple(axis.name for axis in AXES)
    assert np.all(values >= [axis.low for axis in AXES]) and np.all(values <= [axis.high for axis in AXES])


@pytest.mark.parametrize("design", DESIGNS, ids=NAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_a_range_generated_alone_has_the_same_bits(design: AbstractDesign, data: st.DataObject):
    start = data.draw(st.integers(0, design.size))
    stop = data.draw(st.integers(start, min(design.size, start + BLOCK + 3)))
    assert rows(design, start, stop).tobytes() == whole_once(design)[start:stop].tobytes()


_WHOLE: dict[int, np.ndarray] = {}


def whole_once(design: AbstractDesign) -> np.ndarray:
    return _WHOLE.setdefault(id(design), whole(design))


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_seed_gives_the_same_candidates_and_another_seed_others(kind: type):
    assert whole(kind(500, 1, parameters=AXES)).tobytes() == whole(kind(500, 1, parameters=AXES)).tobytes()
    different = whole(kind(500, 1, parameters=UNIT)) != whole(kind(500, 2, parameters=UNIT))
    assert different.mean() > 0.99


@pytest.mark.parametrize("kind", SAMPLED)
def test_ten_million_candidates_are_cut_without_generating_them(kind: type):
    design = kind(10_000_000, 1, parameters=AXES)
    last = rows(design, design.size - 10, design.size)
    assert last.shape == (10, 4)
    assert last.tobytes() == rows(design, design.size - 20, design.size)[10:].tobytes()


@pytest.mark.parametrize("kind", SAMPLED)
def test_axes_are_spread_evenly_and_independently(kind: type):
    values = whole(kind(8192, 3, parameters=UNIT))
    for column in values.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    for a, b in itertools.combinations(values.T, 2):
        counts, _, _ = np.histogram2d(a, b, 8, ((0, 1), (0, 1)))
        assert stats.chisquare(counts.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, 11)])
def test_a_range_outside_of_the_design_is_refused(start: int, stop: int):
    with pytest.raises(DesignError, match="not within the 10 of the design"):
        rows(Uniform(10, parameters=UNIT), start, stop)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(3).over(()), "at least one parameter"),
        (lambda: Uniform(3, parameters=(UNIT[0], UNIT[0])), "p0: the parameter is given twice"),
        (lambda: Uniform(0, parameters=UNIT), "candidates = 0 must be between 1 and"),
        (lambda: Sobol(3, -1, parameters=UNIT), "seed = -1 must not be negative"),
        (lambda: Grid(parameters=UNIT), "p0: a grid needs levels"),
        (lambda: Grid(parameters=tuple(Parameter(f"p{k}", (), 0, 1, levels=10000) for k in range(5))), "too large"),
        (
            lambda: rows(
                Sobol(3, parameters=tuple(Parameter(f"p{k}", (), 0, 1) for k in range(qmc.Sobol.MAXDIM + 1))), 0, 1
            ),
            "axes; the Sobol sequence has",
        ),
    ],
)
def test_a_wrong_design_is_refused(make, message: str):
    with pytest.raises(DesignError, match=message):
        make()


# -- each design


def test_the_grid_is_the_product_of_the_levels():
    expected = np.array(list(itertools.product(*(axis.level_values() for axis in LEVELS))))
    np.testing.assert_array_equal(whole(Grid(parameters=LEVELS)), expected)


@pytest.mark.parametrize("size", [1, 2, 1000, 2 * BLOCK + 1])
def test_each_stratum_of_the_latin_hypercube_holds_one_candidate(size: int):
    values = whole(LatinHypercube(size, 11, parameters=UNIT))
    for column in values.T:
        np.testing.assert_array_equal(np.sort(np.floor(column * size)), np.arange(size))
        place = column * size - np.floor(column * size)
        assert size < 1000 or stats.kstest(place, "uniform").pvalue > 1e-3


def test_the_sobol_design_is_the_sequence_of_scipy():
    points = whole(Sobol(SIZE, 7, parameters=UNIT))
    engine = qmc.Sobol(3, bits=30, seed=np.random.default_rng([7, 2]))
    expected = engine.random(1 << (SIZE - 1).bit_length())[:SIZE]
    np.testing.assert_array_equal(points, expected)


def test_the_sobol_design_is_more_even_than_random_points():
    even, random = (qmc.discrepancy(whole(kind(1024, 1, parameters=UNIT))) for kind in (Sobol, Uniform))
    assert even < 0.1 * random


# -- permutations


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**32))
def test_every_entry_is_hit_once(size: int, seed: int):
    keys = np.random.default_rng(seed).integers(2**64, size=ROUNDS, dtype=np.uint64)
    np.testing.assert_array_equal(np.sort(permute(np.arange(size), size, keys)), np.arange(size))


def test_all_permutations_are_about_as_frequent(rng: np.random.Generator):
    keys = rng.integers(2**64, size=(2400, ROUNDS), dtype=np.uint64)
    seen: dict[tuple, int] = dict.fromkeys(itertools.permutations(range(4)), 0)
    for key in keys:
        seen[tuple(permute(np.arange(4), 4, key).tolist())] += 1
    assert stats.chisquare(list(seen.values())).pvalue > 1e-3


def test_a_long_permutation_has_no_pattern(rng: np.random.Generator):
    """Pairs of neighbours fall evenly into cells, and about one entry stays in place, as in a random permutation."""
    size, kept = 100_003, []
    for _ in range(20):
        place = permute(np.arange(size), size, rng.integers(2**64, size=ROUNDS, dtype=np.uint64))
        counts, _, _ = np.histogram2d(place[:-1], place[1:], 30, ((0, size), (0, size)))
        assert stats.chisquare(counts.ravel()).pvalue > 1e-4
        kept.append(np.sum(place == np.arange(size)))
    assert 0.3 < np.mean(kept) < 1.9


# -- fingerprints


def test_a_fingerprint_changes_with_the_design():
    designs = [kind(size, seed, parameters=AXES) for kind in SAMPLED for size in (100, 101) for seed in (0, 1)]
    designs += [
        Grid(parameters=LEVELS),
        Uniform(100, parameters=(*AXES[:3], Parameter("sed_fwhm_eV", (), 0.1, 0.4, levels=8))),
    ]
    values = whole(designs[0])
    table = Table(designs[0].names, values)
    other = values.copy()
    other[50, 2] = np.nextafter(other[50, 2], 1.0)
    designs += [table, Table(table.names, other), Table(("a", "b", "c", "d"), values)]
    assert len({fingerprint(design) for design in designs}) == len(designs)
    # Where the values enter and what is known of them beforehand does not change the candidates.
    elsewhere = tuple(dataclasses.replace(p, keys=("Li.x",), prior=Prior(0.5 * (p.low + p.high), 1.0)) for p in AXES)
    assert fingerprint(designs[0]) == fingerprint(dataclasses.replace(designs[0], parameters=elsewhere))
    assert fingerprint(designs[0]) == fingerprint(Uniform(100, 0, parameters=AXES))


# -- tables

KNOWN = ("sed_fwhm_eV", "D_foreign_m2_s", "vacancy_fraction", "temperature_K")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "candidates.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_table_is_read_column_by_column(tmp_path: Path):
    path = written(tmp_path, "\ufeffD_foreign_m2_s, sed_fwhm_eV\r\n1e-22, 0.25\r\n\r\n2.5e-23,0.3\r\n")
    table = read_table(path, KNOWN, required=("sed_fwhm_eV",))
    assert table.names == ("D_foreign_m2_s", "sed_fwhm_eV")
    np.testing.assert_array_equal(rows(table, 0, 2), [[1e-22, 0.25], [2.5e-23, 0.3]])
    np.testing.assert_array_equal(rows(table, 1, 2), [[2.5e-23, 0.3]])


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=NAMES)
def test_an_exported_table_gives_the_same_bits(design: AbstractDesign, tmp_path: Path):
    # Python floats are written with the fewest digits that give them back.
    lines = [design.names, *map(lambda row: map(repr, row), rows(design, 0, design.size).tolist())]
    (tmp_path / "out.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    table = read_table(tmp_path / "out.csv", KNOWN, KNOWN)
    assert table.names == design.names
    assert whole(table).tobytes() == whole_once(design).tobytes()
    middle = slice(BLOCK - 5, BLOCK + 9)
    assert rows(table, middle.start, middle.stop).tobytes() == whole_once(design)[middle].tobytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("sed_fwhm_eV\n", "no candidates below the header"),
        ("sed_fwmh_eV\n1\n", "unknown column 'sed_fwmh_eV'; did you mean 'sed_fwhm_eV'?"),
        ("D_foreign\n1\n", "unknown column 'D_foreign'; did you mean 'D_foreign_m2_s'?"),
        ("temperature_C\n1\n", "unknown column 'temperature_C'; did you mean 'temperature_K'?"),
        ("zzz\n1\n", "unknown column 'zzz'; known columns: sed_fwhm_eV, D_foreign_m2_s"),
        ("D_foreign_m2_s\n1\n", "the column 'sed_fwhm_eV' is missing; there are D_foreign_m2_s"),
        ("sed_fwhm_eV,sed_fwhm_eV\n1,2\n", "the column 'sed_fwhm_eV' is there twice"),
        ("sed_fwhm_eV;temperature_K\n1;2\n1;2;3\n", "line 3: 3 fields, the header has 2"),
        ("sed_fwhm_eV;temperature_K\nnm;s\n1;2\n", "a line of units below the names"),
        ("sed_fwhm_eV,temperature_K\n1,2\n\n3\n", "line 4: 1 fields, the header has 2"),
        ("sed_fwhm_eV,temperature_K\n1,2,3\n", "2 titles; 3 were expected, as there are numbers below"),
        ("sed_fwhm_eV,temperature_K\n1,2\n3,nan\n", "line 3: temperature_K = 'nan': not a finite number"),
        ("sed_fwhm_eV,temperature_K\n1,2\n3,1e999\n", "line 3, column 'temperature_K': '1e999' is too large a number"),
        ("sed_fwhm_eV,temperature_K\n,2\n", "line 2: sed_fwhm_eV = '': not a finite number"),
        ("sed_fwhm_eV\n0.25 eV\n", "line 2, column 'sed_fwhm_eV': '0.25 eV' is not a number"),
        (b"sed_fwhm_eV\n\xff\xfe\n", "line 2, column 'sed_fwhm_eV': 'ÿþ' is not a number"),
        ('sed_fwhm_eV\n"1\n', "line 2, column 'sed_fwhm_eV': '\"1' is not a number"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(text: str | bytes, message: str, tmp_path: Path):
    path = written(tmp_path, text)
    with pytest.raises(DesignError) as caught:
        read_table(path, KNOWN, required=("sed_fwhm_eV",))
    assert message in str(caught.value) and str(caught.value).startswith((f"{path}: ", f"{path}, line "))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DesignError, match=r"nowhere\.csv: No such file or directory"):
        read_table(tmp_path / "nowhere.csv", KNOWN)


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (("a", "b"), [[1.0]], "does not fit the columns a, b"),
        (("a", "a"), [[1.0, 2.0]], "'a' is there twice"),
        (("a",), np.zeros((0, 1)), "does not fit"),
        (("a", "b"), [[1.0, 2.0], [3.0, np.nan]], "candidate 1, b = nan: not a finite number"),
    ],
)
def test_a_wrong_array_is_refused(names: tuple[str, ...], values, message: str):
    with pytest.raises(DesignError, match=message):
        Table(names, np.asarray(values, float))
