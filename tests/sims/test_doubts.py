"""What looks wrong in imported fractions is told, with an option after which it is right."""

import dataclasses
import re

import numpy as np
import pytest

from npp_jax.sims import ImportOptions, convert
from npp_jax.sims.doubts import below_none
from npp_jax.sims.options import check_options
from npp_jax.sims.raw import Channel, RawProfile

DEPTH = np.arange(250) * 1.2 + 0.6
WORTH = {"Rb": 9000.0, "Li": 4000.0}
"""Counts at fraction one."""


def raw(rng: np.random.Generator, surface: float = 4.0, floor: float = 0.0, tail: float = 2.0) -> RawProfile:
    """Rb in a glass with Li: what the surface hides of both, a background of Rb, and the tail of its front."""
    front = 1.0 / (1.0 + np.exp((DEPTH - 135.0) / tail))
    seen = 1.0 - (np.exp(-DEPTH / surface) if surface else 0.0)
    means = {
        "Rb": WORTH["Rb"] * 0.95 * front * seen + floor,
        "Li": WORTH["Li"] * (1.0 - 0.95 * front) * seen,
        "B": 1500.0 + 0.0 * DEPTH,
    }
    channels = tuple(
        Channel(name, DEPTH, rng.poisson(mean).astype(float), "counts", "counts", np.arange(250) + 2, 1.0)
        for name, mean in means.items()
    )
    return RawProfile("rb.txt", "table", "0" * 64, "depth", channels, None, None, {})


OPTIONS = ImportOptions(species={"Li": "Li", "Rb": "Rb"}, normalise={"Rb": "sum"})


def told(file: RawProfile, what: str, options: ImportOptions = OPTIONS) -> list[str]:
    return [line for line in convert(file, options).warnings if what in line]


def test_a_surface_that_pulls_the_scale_is_told_with_the_depth_that_cuts_it(rng: np.random.Generator):
    file = raw(rng)
    exact = 1.0 / WORTH["Rb"]

    def off(options: ImportOptions) -> float:
        """Deviation of the scale, in the standard deviations that it claims."""
        profile = convert(file, options)
        k = profile.species.index("Rb")
        return (1.0 / profile.counts_per_fraction[k, 0] / exact - 1.0) / profile.scale_sigma[k]

    (line,) = told(file, "--surface-nm")
    found = re.search(r"--surface-nm ([\d.]+)", line)
    assert found is not None
    cut = dataclasses.replace(OPTIONS, surface_nm=float(found[1]))
    assert told(file, "--surface-nm", cut) == []
    assert off(OPTIONS) > 5.0
    assert abs(off(cut)) < 0.5 * off(OPTIONS)


def test_a_background_of_the_bulk_is_told_with_the_depths_that_take_it_off(rng: np.random.Generator):
    file = raw(rng, floor=4.0)
    (line,) = told(file, "--background")
    found = re.search(r"--background Rb=([\d.]+):([\d.]+)", line)
    assert found is not None
    off = dataclasses.replace(OPTIONS, background={"Rb": (float(found[1]), float(found[2]))})
    assert told(file, "--background", off) == []
    deep = convert(file, off).fraction[1, DEPTH > 200.0]
    assert abs(np.mean(deep)) < 2e-5 < np.mean(convert(file, OPTIONS).fraction[1, DEPTH > 200.0])


@pytest.mark.parametrize("background", [5000.0, (0.0, 60.0)])
def test_more_background_than_there_is_is_told(background: float | tuple[float, float], rng: np.random.Generator):
    """A number of another unit, or depths at which the ion itself is: fractions fall below none."""
    options = dataclasses.replace(OPTIONS, normalise={"Rb": str(1.0 / WORTH["Rb"])}, background={"Rb": background})
    (line,) = told(raw(rng), "less than none", options)
    assert line.startswith("Rb: the fraction is -0.")
    # Noise about none is no such fraction, whatever the background.
    right = dataclasses.replace(options, background={"Rb": (200.0, 290.0)})
    assert told(raw(rng, floor=4.0), "less than none", right) == []
    assert told(raw(rng, floor=400.0), "less than none", right) == []


@pytest.mark.parametrize("tail", [2.0, 25.0])
def test_neither_an_empty_bulk_nor_a_tail_is_a_background(tail: float, rng: np.random.Generator):
    assert told(raw(rng, tail=tail), "--background") == []


def test_no_surface_is_told_where_there_is_none_or_no_sum(rng: np.random.Generator):
    assert told(raw(rng, surface=0.0), "--surface-nm") == []
    assert told(raw(rng), "--surface-nm", dataclasses.replace(OPTIONS, normalise={"Rb": str(1.0 / WORTH["Rb"])})) == []


def test_channels_that_are_not_used_are_not_told_of(rng: np.random.Generator):
    file = dataclasses.replace(raw(rng), warnings=("Rb: strange", "B: strange", "line 3: strange"))
    assert told(file, "strange") == ["Rb: strange", "line 3: strange"]


def test_a_drift_that_the_matrix_shows_is_told_with_the_reference_that_divides_it_out(rng: np.random.Generator):
    file = raw(rng, surface=0.0)
    assert told(file, "--reference") == []
    drift = 1.0 - 0.06 * DEPTH / DEPTH[-1]
    channels = tuple(dataclasses.replace(c, values=rng.poisson(c.values * drift).astype(float)) for c in file.channels)
    drifting = dataclasses.replace(file, channels=channels)
    (line,) = told(drifting, "--reference")
    assert re.match(r"B falls by (2|3|4)\.\d% ± 0\.\d% .* --reference B divides that out", line)
    assert told(drifting, "--reference", dataclasses.replace(OPTIONS, reference="B")) == []


def test_one_channel_is_one_ion(rng: np.random.Generator):
    with pytest.raises(ValueError, match="species: Li and Rb are both of the channel Li; one channel is one ion"):
        convert(raw(rng), dataclasses.replace(OPTIONS, species={"Li": "Li", "Rb": "Li"}))


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("sigma_relative", 5.0, "sigma_relative is 5: is its unit right? usual are 0 to 0.3"),
        ("crater_sigma_nm", 200.0, "crater_sigma_nm is 200 of a crater of 300 nm: is its unit right?"),
    ],
)
def test_errors_of_another_unit_are_told(field: str, value: float, line: str):
    options = ImportOptions(species={"Li": "Li"}, crater_depth_nm=300.0)
    assert check_options(options) == ()
    assert check_options(dataclasses.replace(options, **{field: value})) == (line,)


def test_few_counts_about_a_background_are_not_less_than_none():
    """Points that counted little by chance have a small error: one of a hundred sound profiles was told of."""
    depth, found = np.arange(300) + 0.5, 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        counts = rng.poisson(20.0 * 0.5 * (1.0 - np.tanh((depth - 95.0) / 6.0)) + 3.0)
        fraction, sigma = (counts - np.mean(counts[200:280])) / 20.0, np.sqrt(np.maximum(counts, 1)) / 20.0
        found += below_none("K", depth, fraction, sigma) is not None
        assert below_none("K", depth, fraction - 0.3, sigma) is not None
    assert found == 0
