"""What scatters as counted ions do, and what does not: units of the counting time, smoothing, ceilings, zeros."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.sims import ImportOptions, SimsFileError, SimsProfile, import_sims
from npp_jax.sims.counting import signal_of_one
from npp_jax.sims.dwell import counting_times
from npp_jax.sims.scatter import ceiling, dispersion_of, scatter_of

DWELL = 0.5


def front(points: int = 300) -> np.ndarray:
    """Ions a point of a native ion behind a front at a third of the depth."""
    depth = np.arange(points)
    return 100.0 + 2400.0 / (1.0 + np.exp(-(depth - points / 3.0) / 6.0))


def rates(path: Path, rng: np.random.Generator, *lines: str) -> Path:
    """A table of rates that were counted for `DWELL`, with lines above."""
    counts = rng.poisson(front())
    rows = [f"{2.0 * k}\t{n / DWELL}\t{rng.poisson(900) / DWELL}" for k, n in enumerate(counts)]
    path.write_text("\n".join([*lines, "Time (s)\t7Li+ (c/s)\t28Si+ (c/s)", *rows]) + "\n")
    return path


def counted(path: Path, signal: np.ndarray, *more: np.ndarray) -> Path:
    """A table of counts."""
    columns = (np.arange(len(signal)) + 0.5, signal, *more)
    rows = ["\t".join(f"{value:.10g}" for value in row) for row in zip(*columns, strict=True)]
    names = [f"M{k}+ (counts)" for k in range(len(more))]
    path.write_text("\n".join(["\t".join(["Depth (nm)", "7Li+ (counts)", *names]), *rows]) + "\n")
    return path


def imported(path: Path, **fields) -> SimsProfile:
    crater = {"crater_depth_nm": 300.0} if "Time" in path.read_text() else {}
    return import_sims(path, ImportOptions({"Li": "7Li+"}, **crater, **fields))


@pytest.mark.parametrize(
    "line",
    [
        "Dwell time: 0.5 s",
        "Dwell time (ms): 500",
        "Dwell time: 500 ms",
        "Dwell time [ms]\t500",
        "# dwell_time_s = 0,5",
        "Counting time (µs): 500000",
        "CT(s): 0.5",
        "Dwell time 7Li+ (s): 0.5",
        "Integration time per point: 0.5 s",
        "Acquisition Time: 600\nDwell time: 0.5",
    ],
)
def test_units_of_the_counting_time(tmp_path: Path, rng: np.random.Generator, line: str):
    profile = imported(rates(tmp_path / "r.txt", rng, *line.split("\n")))
    bulk = profile.depth_nm > 240.0
    assert np.mean(profile.sigma[0, bulk]) == pytest.approx(1.0 / 50.0, rel=0.02)
    assert np.all(np.isfinite(profile.counts))


@pytest.mark.parametrize("line", ["Acquisition Time: 600", "Dwell time: 5 min", "Dwell time per pixel (ms): 500"])
def test_a_time_that_is_no_counting_time_of_a_point_is_told(tmp_path: Path, rng: np.random.Generator, line: str):
    profile = imported(rates(tmp_path / "r.txt", rng, line))
    assert any(line.split(":")[0] in warning and "dwell_s" in warning for warning in profile.warnings)
    assert np.all(np.isnan(profile.counts))
    bulk = profile.depth_nm > 240.0
    assert np.mean(profile.sigma[0, bulk]) == pytest.approx(1.0 / 50.0, rel=0.25)


@pytest.mark.parametrize(("said", "factor"), [("0.005 s", 0.01), ("1.9 s", 3.8)])
def test_a_wrong_counting_time_makes_no_counts(tmp_path: Path, rng: np.random.Generator, said: str, factor: float):
    path = rates(tmp_path / "r.txt", rng, f"Dwell time: {said}")
    profile = imported(path)
    assert np.all(np.isnan(profile.counts))
    (warning,) = [line for line in profile.warnings if "times that of counting" in line]
    assert float(warning.split("variance is ")[1].split()[0]) == pytest.approx(factor, rel=0.3)
    assert "a counting time of" in warning
    bulk = profile.depth_nm > 240.0
    assert np.mean(profile.sigma[0, bulk]) == pytest.approx(1.0 / 50.0, rel=0.2)
    kept = imported(path, trust_counting=True)
    assert np.all(np.isfinite(kept.counts))
    assert any("times that of counting" in line for line in kept.warnings)


@pytest.mark.parametrize("format", ["{!r}", "{:.2f}", "{:.6g}"])
@pytest.mark.parametrize("dwell", [0.5, 0.52, 1.5, 3.0, 20.0])
def test_the_counting_time_of_rates_is_told_by_their_digits(rng: np.random.Generator, dwell: float, format: str):
    counts = rng.poisson(front(60))
    written = np.array([float(format.format(float(count) / dwell)) for count in counts])
    one = signal_of_one(written)
    assert one is not None and 1.0 / one == pytest.approx(dwell, rel=1e-3)


@pytest.mark.parametrize(("dwell", "format"), [(0.96, "{:.2f}"), (1.92, "{:.6g}"), (8.0, "{:.2f}"), (0.16, "{:.2f}")])
def test_numbers_half_way_between_two_digits_are_rounded_to_either(dwell: float, format: str):
    """3/0.96 = 3.125 is written 3.12: a third of the right unit was taken."""
    for seed in range(8):
        counts = np.random.default_rng(seed).poisson(front(60))
        one = signal_of_one(np.array([float(format.format(float(count) / dwell)) for count in counts]))
        assert one is None or 1.0 / one == pytest.approx(dwell, rel=1e-3)


def test_numbers_that_no_time_makes_whole_tell_none(rng: np.random.Generator):
    """Rounded to tens, whole by rounding, smoothed, corrected for a dead time, and of any size."""
    counts = rng.poisson(front(60)).astype(float)
    mean = np.convolve(counts, np.full(3, 1.0 / 3.0), "valid")
    corrected = counts / (1.0 - 3e-8 * counts)
    for values in (10.0 * counts, np.round(counts / 1.7), mean / 1.5 + 1e-3 * rng.random(58), corrected / 1.5):
        assert signal_of_one(values) is None
    # In single precision large numbers are multiples of its last bit.
    assert signal_of_one(np.float32(rng.poisson(3e5 * 0.3, 60) / 0.3).astype(float)) is None
    for decimals in range(4):
        for _ in range(50):
            assert signal_of_one(np.round(rng.gamma(2.0, 1000.0 * rng.random(), 60), decimals)) is None


@pytest.mark.parametrize("factor", [0.4, 0.8, 1.5, 3.9])
def test_a_wrong_counting_time_is_told_though_the_scatter_does_not(tmp_path: Path, factor: float):
    """Few points: the scatter alone lets factors up to six pass."""
    counts = np.random.default_rng(5).poisson(front(30) / 20.0)
    rows = "".join(f"{2.0 * k}\t{n / 1.5:.2f}\n" for k, n in enumerate(counts))
    path = tmp_path / "r.txt"
    path.write_text(f"Time (s)\t7Li+ (c/s)\n{rows}")
    wrong, right, none = (imported(path, dwell_s=dwell) for dwell in (min(1.5 * factor, 2.0), 1.5, None))
    said = [line for line in wrong.warnings if "whole multiples of 0.6667 counts/s" in line]
    assert len(said) == 1 and "counting for 1.5 s a point" in said[0]
    ratio = min(1.5 * factor, 2.0) / 1.5
    assert f"{ratio:.3g} times as many counts, and {ratio**-0.5:.3g} times the error of counting" in said[0]
    assert not any("whole multiples" in line for line in right.warnings)
    assert any("dwell_s would give them (of 1.5 s" in line for line in none.warnings)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("kcps", 1e-3), ("counts/min", 60.0), ("Mcps", 1e-6), ("cts/s", 1.0), ("1/s", 1.0), ("kHz", 1e-3)],
)
def test_units_of_rates(tmp_path: Path, rng: np.random.Generator, unit: str, factor: float):
    counts = rng.poisson(front(60))
    rows = "".join(f"{2.0 * k}\t{n / 1.5 * factor:.9g}\n" for k, n in enumerate(counts))
    (tmp_path / "r.txt").write_text(f"Time (s)\t7Li+ ({unit})\n{rows}")
    profile = imported(tmp_path / "r.txt", dwell_s=1.5)
    np.testing.assert_allclose(profile.counts[0], counts, rtol=1e-6, atol=1e-5)
    assert not any("multiples" in line for line in profile.warnings)
    wrong = imported(tmp_path / "r.txt", dwell_s=0.6)
    assert any("all rates are whole multiples of 0.6667 counts/s" in line for line in wrong.warnings)


@pytest.mark.parametrize("dwell", [0.25, 0.3, 0.37, 1.5])
def test_rates_of_a_program_that_counts_in_single_precision_tell_their_time(dwell: float):
    """Written with nine digits they are off by more than half of the last one."""
    for seed in range(8):
        counts = np.random.default_rng(seed).poisson(front(60))
        one = signal_of_one(np.array([float(f"{np.float32(n / dwell):.9g}") for n in counts]))
        assert one is not None and 1.0 / one == pytest.approx(dwell, rel=1e-3)


def test_an_impossible_counting_time_is_refused(tmp_path: Path, rng: np.random.Generator):
    with pytest.raises(SimsFileError, match="dwell_s: 600; the points are 2 s apart"):
        imported(rates(tmp_path / "r.txt", rng), dwell_s=600.0)


def test_a_counting_time_that_is_given_goes_before_that_of_the_file(tmp_path: Path, rng: np.random.Generator):
    """The file calls its milliseconds seconds, or is right: the warning stands only in the first."""
    wrong, right = (rates(tmp_path / f"{k}.txt", np.random.default_rng(3), f"Dwell time: {k} s") for k in (1.9, 0.5))
    told, plain = imported(wrong, dwell_s=0.5), imported(right, dwell_s=0.5)
    for profile in (told, plain):
        np.testing.assert_allclose(profile.counts, imported(right).counts)
        assert not any("times that of counting" in line for line in profile.warnings)
    said = "7Li+: a counting time of 0.5 s is taken, in place of 1.9 s of the file"
    assert said in told.warnings and not any("in place of" in line for line in plain.warnings)


def test_counted_signals_pass(rng: np.random.Generator):
    """Of many profiles none is refused, whatever its level, front and length."""
    for level in (1.0, 10.0, 1e3, 1e5):
        for points in (40, 300):
            for _ in range(20):
                signal = rng.poisson(level / 2400.0 * front(points)).astype(float)
                found = scatter_of(signal, np.ones(points), np.arange(points) > 0.8 * points)
                assert found is None or not found.odd
                assert ceiling(signal, np.ones(points)) is None


def test_smoothing_and_fluctuations_are_no_counting(rng: np.random.Generator):
    signal = rng.poisson(front()).astype(float)
    bulk = np.arange(300) > 240
    smooth = scatter_of(np.convolve(signal, np.ones(7) / 7.0, "same")[5:-5], np.ones(290), bulk[5:-5])
    assert smooth is not None
    assert not smooth.counting
    assert smooth.factor < 0.4
    assert smooth.smooth
    beam = signal * (1.0 + 0.1 * rng.normal(size=300))
    wild = scatter_of(beam, np.ones(300), bulk)
    assert wild is not None
    assert not wild.counting
    assert not wild.smooth
    assert wild.factor == pytest.approx(26.0, rel=0.6)
    known = scatter_of(beam, np.ones(300), bulk, relative=0.1)
    assert known is not None
    assert known.counting


def test_a_ceiling_is_refused_or_left_out(tmp_path: Path, rng: np.random.Generator):
    path = counted(tmp_path / "c.txt", np.minimum(rng.poisson(front()), 1500))
    with pytest.raises(SimsFileError, match=r"7Li\+: the counter is saturated .* bulk would make the scale"):
        imported(path)
    factor = imported(path, normalise={"Li": str(1.0 / 2500.0)})
    assert np.max(factor.fraction) < 1500.0 / 2500.0
    assert any("left out" in line for line in factor.warnings)
    assert len(imported(path, trust_counting=True).depth_nm) == 300


def test_zeros_behind_the_end_of_a_run_are_left_out(tmp_path: Path, rng: np.random.Generator):
    signal, matrix = rng.poisson(front()), rng.poisson(4000.0, 300)
    signal[285:], matrix[285:] = 0, 0
    profile = imported(counted(tmp_path / "z.txt", signal, matrix))
    assert len(profile.depth_nm) == 285
    assert any("the last 15 points have no counts in any channel" in line for line in profile.warnings)
    inside = (profile.depth_nm > 150.0) & (profile.depth_nm < 230.0)
    assert np.mean(profile.fraction[0, inside]) == pytest.approx(1.0, abs=0.01)


def test_zeros_behind_a_signal_that_fades_are_measured(tmp_path: Path, rng: np.random.Generator):
    fading = rng.poisson(2000.0 * np.exp(-np.arange(300) / 12.0))
    profile = imported(counted(tmp_path / "z.txt", fading), normalise={"Li": "5e-4"})
    assert len(profile.depth_nm) == 300


def test_times_that_differ_are_told():
    found = counting_times({"Acquisition time": "2 s", "Dwell time": "0.5 s"}, [], 2.0)
    assert found.common == 0.5
    assert "not 'Acquisition time: 2 s'" in found.warnings[0]


@pytest.mark.parametrize("points", [100, 300])
@pytest.mark.parametrize("dwell", [1e-3, 0.5, 1.0, 20.0])
def test_the_noise_of_a_rate_is_neither_too_small_nor_one_of_its_unit(points: int, dwell: float):
    """Counts over an unknown time: the dispersion is one over that time, in the mean of many profiles."""
    for signal in (front(points), np.full(points, 400.0), 3.0 * np.ones(points)):
        found = [dispersion_of(np.random.default_rng(seed).poisson(signal) / dwell) for seed in range(60)]
        known = [dwell * one for one in found if one is not None]
        assert np.median(known) == pytest.approx(1.0, abs=0.12)


def test_no_dispersion_of_what_has_no_scatter_or_is_a_thin_layer():
    assert dispersion_of(np.zeros(100)) is None
    assert dispersion_of(np.full(100, 7.0)) is None
    layer = 3000.0 * np.exp(-(((np.arange(100) - 30.0) / 3.0) ** 2)) + 1.0
    assert dispersion_of(np.random.default_rng(0).poisson(layer).astype(float)) is None


@pytest.mark.parametrize(
    ("factor", "each", "error"), [(2.0, "0.5", "1.41"), (3.0, "0.333", "1.73"), (0.25, "4", "0.5")]
)
def test_counts_that_were_multiplied_or_averaged_are_told(
    tmp_path: Path, rng: np.random.Generator, factor: float, each: str, error: str
):
    counts = rng.poisson(front(60)).astype(float)
    path = tmp_path / "n.txt"
    for given in (factor, 1.0):
        rows = "".join(f"{2.0 * k}\t{given * n:g}\n" for k, n in enumerate(counts))
        path.write_text(f"depth_nm\t7Li+ (counts)\n{rows}")
        said = [line for line in imported(path).warnings if "are whole multiples of" in line]
        assert len(said) == (given != 1.0)
        if said:
            assert f"{each} times as many ions were counted, which have {error} times the error" in said[0]


@pytest.mark.parametrize(("points", "told"), [(20, True), (800, False)])
def test_a_first_point_at_zero_tells_that_the_crater_may_be_longer(
    tmp_path: Path, rng: np.random.Generator, points: int, told: bool
):
    step = 800.0 / points
    rows = "".join(f"{step * k}\t{n}\n" for k, n in enumerate(rng.poisson(500.0, points)))
    path = tmp_path / "t.txt"
    path.write_text(f"Time (s)\t7Li+ (counts)\n{rows}")
    said = [line for line in imported(path).warnings if "the first point is at 0" in line]
    assert len(said) == told
    if said:
        assert "are 5.3% too large; --duration-s 800 then" in said[0]
    longer = imported(path, duration_s=800.0)
    assert longer.depth_nm[-1] == pytest.approx(300.0 * (1.0 - 1.0 / points))
    assert not any("the first point is at 0" in line for line in longer.warnings)
