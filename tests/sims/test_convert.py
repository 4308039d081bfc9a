"""Files of a simulated glass to fractions: what went in comes out, with the scatter that is claimed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfc

from npp_jax.constants import ELEMENTARY_CHARGE
from npp_jax.sims import ImportOptions, SimsFileError, SimsProfile, convert, import_sims, read_raw
from npp_jax.sims.raw import Channel, RawProfile

DENSITY = 2e28
FRONT_NM = 120.0
CHARGE_MC_CM2 = 0.1 * FRONT_NM * 1e-9 * DENSITY * ELEMENTARY_CHARGE
WORTH = {"K": 30.0, "Li": 80.0}
"""Counts at fraction one."""


def potassium(depth: np.ndarray) -> np.ndarray:
    return 0.5 * erfc((depth - FRONT_NM) / 20.0)


def simulated(rng: np.random.Generator, axis="depth", points: int = 400, drift: float = 0.0, floor: float = 0.0):
    """A raw profile of K in Li glass with a matrix signal; `drift` is the growth of the beam over the crater."""
    depth = (np.arange(points) + 0.5) * 400.0 / points
    beam = 1.0 + drift * depth / 400.0
    means = {
        "39K+": beam * (WORTH["K"] * potassium(depth) + floor),
        "7Li+": beam * WORTH["Li"] * (1.0 - potassium(depth)),
        "B+": beam * 5000.0,
    }
    channels = tuple(
        Channel(
            name=name,
            axis=depth if axis == "depth" else depth / 4.0,
            values=rng.poisson(mean).astype(float),
            unit="counts",
            kind="counts",
            lines=np.arange(points) + 2,
            per_count=1.0,
        )
        for name, mean in means.items()
    )
    duration = 100.0 if axis == "time" else None
    return RawProfile("k.txt", "table", "0" * 64, axis, channels, duration, None, {})


def options(**fields) -> ImportOptions:
    return ImportOptions(**{"species": {"K": "39K+", "Li": "7Li+"}, "bulk_nm": (250.0, 400.0), **fields})


def pulls(profile: SimsProfile, truth: np.ndarray, k: int) -> np.ndarray:
    """Deviations over sigma, less the common scale, at points with enough counts for them to be normal."""
    scale = np.sum(profile.fraction[k] * truth) / np.sum(truth**2)
    enough = profile.counts[k] > 8.0
    return ((profile.fraction[k] - scale * truth) / profile.sigma[k])[enough]


WAYS = {
    "bulk, uptake": {"K": "uptake"},
    "loss, uptake": {"K": "uptake", "Li": "loss"},
    "bulk, sum": {"K": "sum"},
    "sum, sum": {"K": "sum", "Li": "sum"},
    "numbers": {"K": str(1.0 / WORTH["K"]), "Li": str(1.0 / WORTH["Li"])},
}


@pytest.mark.parametrize("way", list(WAYS))
def test_fractions_come_out_with_their_scatter(way: str, rng: np.random.Generator):
    charge = {"charge_mC_cm2": CHARGE_MC_CM2, "density_m3": DENSITY} if "u" in way and "numbers" not in way else {}
    profile = convert(simulated(rng), options(normalise=WAYS[way], **charge))
    for k, truth in enumerate((potassium(profile.depth_nm), 1.0 - potassium(profile.depth_nm))):
        scale = np.sum(profile.fraction[k] * truth) / np.sum(truth**2)
        assert abs(scale - 1.0) < max(4.0 * profile.scale_sigma[k], 0.02)
        spread = pulls(profile, truth, k)
        assert len(spread) > 100
        # The variance of n normal pulls is known to √(2/n); sigma holds n + 1 instead of n counts.
        assert np.var(spread) == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / len(spread)))


@pytest.mark.parametrize("close", [False, True])
def test_the_poisson_form_is_exact(close: bool, rng: np.random.Generator):
    """fraction = counts / counts_per_fraction − background."""
    raw = simulated(rng, floor=3.0, drift=0.4)
    profile = convert(raw, options(normalise={"K": "sum"}, background={"K": 3.0}, reference="B+", close_sum=close))
    if close:
        assert np.all(np.isnan(profile.counts_per_fraction))
        assert profile.as_arguments()[4:8] == (None, None, None, None)
        return
    formed = profile.counts / profile.counts_per_fraction - profile.background
    np.testing.assert_allclose(formed, profile.fraction, atol=1e-12)
    np.testing.assert_array_equal(profile.counts[0], raw.channels[0].values)


def test_closed_sum_is_one_and_has_the_claimed_scatter(rng: np.random.Generator):
    profile = convert(
        simulated(rng, drift=2.0), options(normalise={"K": str(1 / 30), "Li": str(1 / 80)}, close_sum=True)
    )
    np.testing.assert_allclose(profile.fraction.sum(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(profile.sigma[0], profile.sigma[1], rtol=1e-9)
    truth = potassium(profile.depth_nm)
    front = (truth > 0.05) & (truth < 0.95)
    many = [convert(simulated(rng), profile.options).fraction[0] for _ in range(60)]
    sigma = convert(simulated(rng), profile.options).sigma[0]
    ratio = np.std(many, axis=0)[front] / sigma[front]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)


def test_a_matrix_signal_takes_out_the_drift_of_the_beam(rng: np.random.Generator):
    raw = simulated(rng, drift=1.0)
    truth = 1.0 - potassium(raw.channels[0].axis)
    way = {"normalise": {"K": "sum"}}
    plain = convert(raw, options(**way)).fraction[1] - truth
    divided = convert(raw, options(reference="B+", **way))
    behind = (divided.depth_nm > 150.0) & (divided.depth_nm < 200.0)
    assert np.mean(plain[behind]) < -0.1
    assert abs(np.mean((divided.fraction[1] - truth)[behind])) < 0.03
    assert np.var(pulls(divided, truth, 1)) == pytest.approx(1.0, abs=0.4)


def test_a_weak_matrix_signal_widens_sigma(rng: np.random.Generator):
    raw = simulated(rng)
    weak = Channel(**{**vars(raw.channels[2]), "values": rng.poisson(60.0, 400).astype(float)})
    raw = RawProfile(**{**vars(raw), "channels": (*raw.channels[:2], weak)})
    profile = convert(raw, options(normalise={"K": "sum"}, reference="B+"))
    # 1/80 from lithium and 1/60 from boron.
    deep = profile.depth_nm > 250.0
    assert np.mean(profile.sigma[1, deep] ** 2) == pytest.approx(1 / 80 + 1 / 60, rel=0.1)
    assert np.var(profile.fraction[1, deep]) == pytest.approx(1 / 80 + 1 / 60, rel=0.4)


def test_ranges_beyond_the_points_are_told_or_refused(rng: np.random.Generator):
    raw, sums = simulated(rng), {"normalise": {"K": "sum"}}
    told = convert(raw, options(bulk_nm=(250.0, 1e3), background={"K": (300.0, 500.0)}, **sums)).warnings
    (bulk,), (background,) = ([line for line in told if line.startswith(of)] for of in ("bulk_nm", "background of K"))
    assert bulk == "bulk_nm: 250:1000 nm is cut at 399.5 nm, where the points end" and "300:500 nm is cut" in background
    # Up to the last point, and to the end of its cell, is all that there is.
    whole = convert(raw, options(background={"K": (300.0, 400.0)}, **sums))
    assert not [line for line in whole.warnings if "is cut at" in line]
    with pytest.raises(SimsFileError, match="background of K: 0 points between 500 and 600 nm"):
        convert(raw, options(background={"K": (500.0, 600.0)}, **sums))
    with pytest.raises(SimsFileError, match="or more background taken off than there is"):
        convert(raw, options(background={"K": (0.0, 60.0)}, **sums))


def test_background_from_a_range_of_depths(rng: np.random.Generator):
    charge = {"charge_mC_cm2": CHARGE_MC_CM2, "density_m3": DENSITY}
    raw = simulated(rng, floor=2.0)
    profile = convert(raw, options(normalise={"K": "uptake"}, background={"K": (250.0, 400.0)}, **charge))
    deep = profile.depth_nm > 250.0
    assert np.mean(profile.fraction[0, deep]) == pytest.approx(0.0, abs=1e-12)
    assert profile.background[0, 0] * WORTH["K"] == pytest.approx(2.0, rel=0.15)
    assert profile.background_sigma[0, 0] * WORTH["K"] == pytest.approx(np.sqrt(2.0 / 150.0), rel=0.15)
    assert profile.background[1, 0] == 0.0


def test_zero_counts_keep_an_uncertainty(rng: np.random.Generator):
    profile = convert(simulated(rng), options(normalise={"K": str(1.0 / WORTH["K"])}))
    empty = profile.counts[0] == 0.0
    assert np.sum(empty) > 50
    np.testing.assert_allclose(profile.sigma[0, empty], 1.0 / WORTH["K"])
    assert np.all(profile.fraction[0, empty] == 0.0)


def test_scale_is_given_to_the_forward_model(rng: np.random.Generator):
    profile = convert(simulated(rng), options(normalise={"K": "sum"}))
    depth, species, fraction, _, counts, worth, weight, background, *_ = profile.as_arguments()
    assert (species, depth.shape, fraction.shape, counts.shape) == (("K", "Li"), (400,), (2, 400), (2, 400))
    np.testing.assert_allclose(worth, np.array(list(WORTH.values()))[:, None] * np.ones(400), rtol=0.05)
    assert (weight, background) == (None, None)
    raw = simulated(rng, drift=0.5, floor=4.0)
    divided = convert(raw, options(normalise={"K": "sum"}, reference="B+", background={"K": 4.0}))
    counts, worth, _, background = divided.as_arguments()[4:8]
    np.testing.assert_array_equal(counts[0], raw.channels[0].values)
    np.testing.assert_allclose(worth * (divided.fraction + background), counts, atol=1e-9)


def test_a_weak_matrix_signal_leaves_no_poisson_distribution(rng: np.random.Generator):
    raw = simulated(rng)
    weak = dataclasses.replace(raw.channels[2], values=rng.poisson(100.0, 400).astype(float))
    profile = convert(
        dataclasses.replace(raw, channels=(*raw.channels[:2], weak)), options(reference="B+", normalise={"K": "0.03"})
    )
    assert np.all(np.isnan(profile.counts_per_fraction[1]))
    assert any("B+" in line and "no Poisson" in line for line in profile.warnings)
    # The cause alone is named: the ions themselves scatter as counts do, or else that was told already.
    assert sum("divided by B+ it has the noise of that" in line for line in profile.warnings) == 2
    scattered = dataclasses.replace(raw.channels[1], values=raw.channels[1].values * rng.choice([0.5, 1.5], 400))
    doubtful = convert(
        dataclasses.replace(raw, channels=(raw.channels[0], scattered, raw.channels[2])),
        options(reference="B+", normalise={"K": "0.03"}),
    )
    assert np.all(np.isnan(doubtful.counts_per_fraction[1]))
    assert [line for line in doubtful.warnings if "no Poisson" in line or line.startswith("7Li+: the variance")] == [
        line for line in doubtful.warnings if line.startswith("7Li+: the variance")
    ]


def test_surface_transient_and_deepest_depth_are_cut(rng: np.random.Generator):
    profile = convert(simulated(rng), options(normalise={"K": "sum"}, surface_nm=10.0, deepest_nm=300.0))
    assert (profile.depth_nm[0], profile.depth_nm[-1]) == (10.5, 299.5)
    assert profile.fraction.shape == (2, 290)


def test_sputter_time_becomes_depth(rng: np.random.Generator):
    profile = convert(
        simulated(rng, "time"), options(normalise={"K": "sum"}, crater_depth_nm=400.0, crater_sigma_nm=8.0)
    )
    np.testing.assert_allclose(profile.depth_nm, np.arange(400) + 0.5)
    assert profile.depth_sigma == 0.02


def test_sputter_rates_that_depend_on_composition():
    """K glass is sputtered three times as fast as Li glass: the profile of time is made with the exact depths.

    With f = ½ erfc((z − z₀)/w) as potassium, dt/dz = 1/(1 + 2f); it is integrated on a fine grid of depths.
    """
    fine = np.linspace(0.0, 400.0, 400_001)
    slowness = 1.0 / (1.0 + 2.0 * potassium(fine))
    times = np.concatenate([[0.0], np.cumsum(0.5 * (slowness[1:] + slowness[:-1]) * np.diff(fine))])
    time = np.linspace(0.0, times[-1], 801)[1:-1]
    depth = np.interp(time, times, fine)
    channels = tuple(
        Channel(name, time, 1e7 * f, "counts", "counts", np.arange(len(time)) + 2, per_count=1.0)
        for name, f in (("39K+", potassium(depth)), ("7Li+", 1.0 - potassium(depth)))
    )
    raw = RawProfile("k.txt", "table", "0" * 64, "time", channels, float(times[-1]), None, {})
    # Exact numbers do not scatter as counts do.
    exact = {"normalise": {"K": "sum"}, "crater_depth_nm": 400.0, "trust_counting": True}
    chosen = options(sputter_rates={"K": 3.0, "Li": 1.0}, **exact)
    profile = convert(raw, chosen)
    assert np.max(np.abs(profile.depth_nm - depth)) < 0.05
    assert np.max(np.abs(profile.fraction[0] - potassium(depth))) < 1e-3
    linear = convert(raw, options(**exact))
    assert np.max(np.abs(linear.depth_nm - depth)) > 50.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"species": {}}, "species: none given"),
        ({"species": {"K\nb": "K"}}, r"species 'K\nb': a name has no line ends"),
        ({"species": {"$\\frac{$": "K"}}, "a name has no dollar sign"),
        ({"species": {" ": "K"}}, "species ' ': it must not be empty"),
        ({"species": {"K": "39Q+"}}, "no channel is called '39Q+'; did you mean 39K+"),
        ({"normalise": {"Na": "bulk"}}, "normalise: 'Na' is no species; K, Li are"),
        ({"normalise": {"K": "best"}}, "normalise: K=best; bulk, uptake, loss, sum or a positive number"),
        ({"normalise": {"K": "-3"}}, "normalise: K=-3"),
        ({"normalise": {"K": "uptake"}}, "K=uptake needs charge_mC_cm2 and density_m3"),
        ({"normalise": {"Li": "uptake", "K": "uptake"}}, "uptake of Li and of K; one charge is the uptake of one ion"),
        ({}, "K: no bulk level"),
        ({"bulk_nm": (300.0, 250.0)}, "bulk_nm: 300:250; two increasing depths"),
        ({"bulk_nm": (900.0, 950.0)}, "0 points between 900 and 950 nm"),
        ({"crater_depth_nm": -5.0}, "crater_depth_nm: -5; a positive number is needed"),
        ({"crater_depth_nm": 500.0}, "leave the crater depth out"),
        ({"background": {"K": -1.0}}, "background of K: -1"),
        ({"sputter_rates": {"K": 2.0}}, "sputter_rates: none for Li; each of K, Li needs a positive number"),
        ({"sputter_rates": {"K": 2.0, "Li": 0.0}}, "sputter_rates: 0 for Li"),
        ({"surface_nm": 399.0}, "only 1 points are left"),
        ({"sigma_relative": float("nan")}, "sigma_relative: nan"),
        ({"species": {"K": "39K+"}, "close_sum": True}, "close_sum: at least two species"),
    ],
)
def test_choices_that_do_not_fit_are_refused_in_one_line(fields: dict, message: str, rng: np.random.Generator):
    with pytest.raises(SimsFileError) as caught:
        convert(simulated(rng), options(**fields))
    assert message in str(caught.value)
    assert str(caught.value).startswith("k.txt: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"density_m3": DENSITY}, "density_m3 is not used: no species is normalised by uptake or loss"),
        (
            {"charge_mC_cm2": CHARGE_MC_CM2, "density_m3": DENSITY, "normalise": {"K": "sum"}},
            "charge_mC_cm2 and density_m3 are not used: no species is normalised by uptake or loss",
        ),
        ({"duration_s": 90.0}, "duration_s is not used: the file has depths"),
        ({"dwell_s": 0.5}, "dwell_s is not used: no signal is a rate"),
    ],
)
def test_a_choice_without_effect_is_told(fields: dict, warning: str):
    fields = {"normalise": {"K": "sum"}, **fields}
    plain, told = (
        convert(simulated(np.random.default_rng(5)), options(**more))
        for more in ({"normalise": fields["normalise"]}, fields)
    )
    assert set(told.warnings) - set(plain.warnings) == {warning}
    np.testing.assert_array_equal(told.fraction, plain.fraction)


def test_times_need_a_crater(rng: np.random.Generator):
    with pytest.raises(SimsFileError, match="sputter times, no depths: give the crater depth"):
        convert(simulated(rng, "time"), options())
    with pytest.raises(SimsFileError, match="the duration 50 ends before the last point"):
        convert(simulated(rng, "time"), options(crater_depth_nm=400.0, duration_s=50.0))


def test_gaps_and_negative_signals_of_a_chosen_channel_are_refused(tmp_path: Path):
    path = tmp_path / "gap.csv"
    path.write_text("depth_nm,Li_counts,K_counts\n" + "".join(f"{k},{k + 9},{k - 3}\n" for k in range(9)))
    with pytest.raises(SimsFileError, match=r"line 2, column 'K': a negative signal"):
        import_sims(path, ImportOptions({"K": "K"}))
    assert import_sims(path, ImportOptions({"Li": "Li"})).species == ("Li",)


@pytest.mark.parametrize("unit", ["wt%", "mass %", "Gew.-%", "wt ppm", "ppmw", "vol%", "weight fraction"])
def test_shares_by_weight_are_refused(unit: str, tmp_path: Path):
    path = tmp_path / "probe.csv"
    rows = "".join(f"{10 * k},{9.5 - 0.4 * k},{k}\n" for k in range(12))
    path.write_text(f"depth_nm,K ({unit}),Li (counts)\n{rows}", encoding="utf-8")
    # It is listed as what it is, and no scale makes ions of it.
    weights, counts = read_raw(path).names
    for options in (ImportOptions({"K": weights}), ImportOptions({"Li": counts}, reference=weights)):
        with pytest.raises(SimsFileError, match="a share by weight or volume") as caught:
            import_sims(path, options)
        assert str(caught.value).startswith(f"{path}, column 'K") and "\n" not in str(caught.value)
    assert import_sims(path, ImportOptions({"Li": counts})).species == ("Li",)


def test_units_far_from_the_usual_are_told(rng: np.random.Generator):
    raw = simulated(rng, "time")
    found = convert(raw, options(normalise={"K": "sum"}, crater_depth_nm=4e5, bulk_nm=(2.5e5, 4e5))).warnings
    assert any("sputter rate 4e+03 nm/s" in line for line in found)
    assert any("crater_depth_nm is 400000" in line for line in found)


@pytest.fixture(scope="module")
def data(project_root: Path) -> Path:
    folder = project_root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no measured profiles at ../shared/data")
    return folder


def test_a_real_lithium_profile(data: Path):
    """650 °C: depletion to a few counts behind the film edge near 0.25 µm, plateau of the bulk (README)."""
    path = data / "zno-izo-li-sims-oslo" / "160112b.dp_rpc_asc"
    profile = import_sims(path, ImportOptions({"Li": "7Li"}, bulk_nm=(1900.0, 2220.0), surface_nm=300.0))
    raw = read_raw(path).channel("7Li")
    deep = raw.axis >= 1900.0
    np.testing.assert_allclose(
        profile.fraction[0], (raw.values / np.mean(raw.values[deep]))[raw.axis >= 300.0], rtol=1e-9
    )
    counts = raw.values / 1.00994
    np.testing.assert_allclose(profile.counts[0], counts[raw.axis >= 300.0], rtol=1e-4)
    # √n over a sum of n counts is the uncertainty of the bulk level.
    assert profile.scale_sigma[0] == pytest.approx(1.0 / np.sqrt(np.sum(counts[deep])), rel=1e-4)
    trough = profile.depth_nm[np.argmin(profile.fraction[0])]
    assert 400.0 < trough < 500.0
    assert np.min(profile.counts[0]) == pytest.approx(1.0, abs=1e-4)
    flat = profile.fraction[0, profile.depth_nm >= 1900.0]
    sigma = profile.sigma[0, profile.depth_nm >= 1900.0]
    assert np.mean(np.diff(flat, 2) ** 2 / 6.0) == pytest.approx(np.mean(sigma**2), rel=0.6)


def test_a_real_crater_is_scaled(data: Path):
    path = data / "zno-izo-li-sims-oslo" / "160112b.dp_rpc_asc"
    plain = import_sims(path, ImportOptions({"Li": "7Li"}))
    # 95.99 nm/min in 1394 s are 2230.2 nm.
    scaled = import_sims(path, ImportOptions({"Li": "7Li"}, crater_depth_nm=2.0 * 95.99 * 1394.0 / 60.0))
    np.testing.assert_allclose(scaled.depth_nm, 2.0 * plain.depth_nm, rtol=1e-9)
    assert any("were scaled to a crater" in line for line in scaled.warnings)


def test_real_species_on_axes_of_their_own_meet_on_one(data: Path):
    path = data / "zno-izo-li-sims-oslo" / "160112b.dp_rpc_asc"
    profile = import_sims(path, ImportOptions({"Zn": "70Zn", "Li": "7Li"}, bulk_nm=(1900.0, 2210.0)))
    zinc, lithium = (read_raw(path).channel(name) for name in ("70Zn", "7Li"))
    np.testing.assert_allclose(profile.depth_nm, zinc.axis[: len(profile.depth_nm)])
    expected = np.interp(profile.depth_nm, lithium.axis, lithium.values / lithium.per_count)
    ratio = expected / profile.fraction[1]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert any("7Li: interpolated to the axis of 70Zn" in line for line in profile.warnings)


def test_saturated_points_of_a_real_counter_are_told(data: Path):
    path = data / "psc-tofsims-hasselt" / "I240416f_B_MAPI_1f_pos-B1_-_NF.txt"
    profile = import_sims(path, ImportOptions({"In": "In+"}, crater_depth_nm=800.0))
    assert any("In+: the counter is saturated at 22 points" in line for line in profile.warnings)
    total = import_sims(path, ImportOptions({"all": "total"}, crater_depth_nm=800.0))
    assert any("total: a sum of peaks" in line for line in total.warnings)
    full = profile.fraction[0] > 0.8
    # Six ions a pulse: the relative variance is (exp(λ) − 1)/(N λ²), ten times that of the counts.
    load = read_raw(path).channel("In+").values[full] / 16364.0
    np.testing.assert_allclose(
        (profile.sigma[0] / profile.fraction[0])[full], np.sqrt(np.expm1(load) / load**2 / 16364.0), rtol=1e-3
    )
