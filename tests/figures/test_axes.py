"""Axes that figures share: units of the keys, ticks that do not overlap, what is beyond a panel."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from npp_jax.figures.axes import (
    RESIDUAL,
    depth_axis,
    easy_ticks,
    headline,
    ion_colours,
    label_axis,
    legend_above,
    line_colour,
    mark_beyond,
    reach,
    share_depths,
)
from npp_jax.figures.parameter_axes import scale_axis
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("sensitivity_K", "observation.K.sensitivity", ("sensitivity_K", "1")),
        ("background_K", "observation.K.background", ("background_K", "1")),
        ("D_K_m2_s", "K.D_m2_s", ("D_K", "m2 s-1")),
        ("temperature_K", "stages.0.temperature_K", ("temperature", "K")),
        ("passed", "stages.1.charge_mC_cm2", ("passed", "mC cm-2")),
        ("melt_K", "stages.0.reservoir_fraction.K", ("melt_K", "1")),
        ("width", "Li.sed_fwhm_eV.1", ("width", "eV")),
        ("trailing_nm", "observation.response.trailing_nm", ("trailing", "nm")),
    ],
)
def test_a_unit_is_that_of_the_key(name: str, key: str, expected: tuple[str, str]) -> None:
    assert split_unit(Parameter(name, (key,), 0.5, 1.0)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("area_m2[1]", ("area[1]", "m2")), ("surface[2]", ("surface[2]", "1")), ("D_m2_s", ("D", "m2 s-1"))],
)
def test_a_parameter_without_keys_has_the_unit_of_its_name(name: str, expected: tuple[str, str]) -> None:
    assert split_unit(Parameter(name, (), 0.5, 1.0)) == expected


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (3e-22, 3e-21, "log"),
        (0.001, 0.004, "log"),
        (1e-24, 1e-18, "log"),
        (3e-22, 3e-21, "linear"),
        (20.0, 45.0, "log"),
    ],
)
def test_ticks_do_not_overlap(low: float, high: float, scale: str) -> None:
    figure = Figure(figsize=(2.4, 2.0), layout="constrained")
    ax = scale_axis(figure.subplots(), Parameter("D_m2_s", ("K.D_m2_s",), low, high, scale), "y", margin=0.05)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels(which="both") if label.get_text()]
    inside = sorted((b for b in boxes if ax.bbox.y0 <= 0.5 * (b.y0 + b.y1) <= ax.bbox.y1), key=lambda b: b.y0)
    assert len(inside) >= 2 and all(a.y1 <= b.y0 + 1.0 for a, b in itertools.pairwise(inside))
    assert not ax.yaxis.get_offset_text().get_text()
    assert ax.get_ylim()[0] < low and ax.get_ylim()[1] > high


def test_a_factor_of_a_linear_axis_is_in_its_label() -> None:
    ax = scale_axis(Figure().subplots(), Parameter("D_m2_s", ("K.D_m2_s",), 3e-22, 3e-21), "x")
    assert ax.get_xlabel() == "D / ($10^{-21}$ m$^{2}$ s$^{-1}$)"
    ax.set_xlim(0.0, 5.0)
    assert easy_ticks(ax.xaxis) == 0


def test_residuals_beyond_the_panel_are_marked() -> None:
    ax, x = Figure().subplots(), np.arange(6.0)
    residual = np.array([0.0, 1.0, 20.0, -7.0, np.nan, 30.0])
    used = np.isfinite(residual) & (x < 5.0)
    assert mark_beyond(ax, x, residual, used, "k", marker=".", ls="none") == 2
    marked = {line.get_marker(): line.get_xydata() for line in ax.get_lines()}
    assert np.all(np.abs(marked["^"][:, 1]) < RESIDUAL) and marked["^"][:, 0].tolist() == [2.0]
    assert marked["v"][:, 0].tolist() == [3.0] and marked["."][:, 0].tolist() == [0.0, 1.0]


def test_depths_are_shown_up_to_where_something_happens() -> None:
    depth = np.linspace(0.0, 1000.0, 501)
    front = 1.0 / (1.0 + np.exp((depth - 100.0) / 3.0))
    assert 130.0 < reach(depth, np.stack([front, 1.0 - front])) < 250.0
    assert reach(depth, np.stack([depth])) == 1000.0


def test_an_ion_has_its_colour_in_every_figure() -> None:
    alone, together = ion_colours(["Li", "Cs"]), ion_colours(["Na", "Li", "K", "Rb", "Cs", "Cu+", "Tl"])
    assert together["Cs"] == alone["Cs"] and together["Li"] == alone["Li"] == ion_colours(["Li+"])["Li+"]
    assert len(set(together.values())) == 7
    # Isotopes of one element are told apart.
    assert len(set(ion_colours(["6Li", "7Li"]).values())) == 2


def test_residuals_have_the_depths_of_the_profile_and_show_all_large_ones() -> None:
    depth, figure = np.linspace(1.0, 200.0, 200), Figure()
    for beyond, end in ((0.0, 120.0), (150.0, 150.0)):
        axes = list(figure.subplots(3, 1))
        axes[0].set_xlim(0.0, 120.0)
        share_depths(axes, depth, np.where(depth == beyond, 9.0, 2.0)[None])
        assert {ax.get_xlim() for ax in axes} == {(0.0, end)}
        (word,) = axes[-1].texts
        assert word.get_text() == f"not shown: {200 - end:.0f} residuals down to 200 nm, rms 2.00"


def test_a_legend_above_a_panel_covers_nothing() -> None:
    figure = Figure(figsize=(4.0, 3.0), layout="constrained")
    ax = figure.subplots()
    for name in ("Na data", "Na fit", "K data", "K fit"):
        ax.plot([0.0, 1.0], [0.0, 1.0], label=name)
    legend_above(ax, "a melt")
    figure.canvas.draw()
    legend, title = ax.get_legend(), ax.get_title(loc="left")
    assert legend is not None and title == "a melt"
    box = legend.get_window_extent()
    assert box.y0 >= ax.bbox.y1 and box.x1 <= figure.bbox.x1 and box.x0 >= ax.bbox.x0


def test_no_colour_comes_twice() -> None:
    assert len({line_colour(k) for k in range(20)}) == 20


def test_the_power_of_a_narrow_logarithmic_axis_stands_in_its_label():
    figure = Figure()
    ax = figure.subplots()
    ax.set(xscale="log", xlim=(3.5e-23, 5.7e-23))
    label_axis(ax.xaxis, "D_Cs", "m2 s-1")
    assert ax.get_xlabel().startswith("D_Cs / ($10^{-23}$ ")
    figure.canvas.draw()
    told = {float(label.get_text()) for label in ax.get_xticklabels()}
    assert told and all(0.35 <= value <= 57.0 for value in told)
    np.testing.assert_allclose(sorted(told), np.asarray(ax.get_xticks()) * 1e23, rtol=1e-4)


@pytest.mark.parametrize("size", ["medium", "large"])
def test_a_long_title_stays_inside_of_its_figure(size):
    figure = Figure(figsize=(4.0, 3.0), layout="constrained")
    figure.subplots()
    headline(figure, f"{12 * 'Mixed alkali WIDE '}\nwithin $\\Delta$", size=size)
    figure.canvas.draw()
    assert figure._suptitle is not None
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0.0 and box.x1 <= figure.bbox.width
    assert figure._suptitle.get_text().endswith("\nwithin $\\Delta$")


def test_deep_profiles_are_drawn_in_micrometres():
    near, deep = Figure().subplots(1, 2)
    for ax, far in ((near, 300.0), (deep, 2e5)):
        ax.set_xlim(0.0, far)
        depth_axis(ax)
    assert near.get_xlabel() == "depth / nm" and deep.get_xlabel() == "depth / µm"
    near.figure.draw_without_rendering()
    assert [text.get_text() for text in deep.get_xticklabels()][:2] == ["0", "50"]
    assert [text.get_text() for text in near.get_xticklabels()][:2] == ["0", "100"]


def test_an_axis_of_depths_that_was_deeper_before_is_told_in_nm_again():
    """Residuals are drawn to the last point, and then as deep as their profile."""
    profile, residuals = Figure().subplots(2, 1)
    depth = np.linspace(0.0, 12000.0, 7)
    profile.set_xlim(0.0, 8000.0)
    depth_axis(profile, named=False)
    residuals.set_xlim(0.0, 12000.0)
    depth_axis(residuals)
    share_depths((profile, residuals), depth, np.zeros((1, 7)))
    assert residuals.get_xlabel() == "depth / nm"
    residuals.figure.draw_without_rendering()
    ticks = [[text.get_text() for text in ax.get_xticklabels()] for ax in (profile, residuals)]
    assert ticks[0] == ticks[1] and "2000" in ticks[1]
