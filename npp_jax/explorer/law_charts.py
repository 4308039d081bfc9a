"""Figures of the page for all experiments: diffusivities, activation energies, site energies, current and potential."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.common import LAW_FRACTION, follow, interval, plain, put
from npp_jax.explorer.picture import Law, Panel, Picture
from npp_jax.figures.records import SHOWN
from npp_jax.figures.simulation import COLOURS
from npp_jax.fitting.band import Band, LawBands
from npp_jax.fitting.problem import Measurement
from npp_jax.physics import SEDDiffusivity
from npp_jax.simulation.status import Status

_HEIGHT = 230

_LETTER, _LINE = 0.025, 0.13
"""Width of a letter and height of a line of a name, in shares of the axes."""


class _Curve(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    colour: str
    name: str


class _Curves:
    """A figure of named curves and a band, each kind in one glyph; names stand at the ends of their curves, or before
    where others are.
    """

    def __init__(self, title: str, x_label: str, y_label: str, *, name: str, **options: Any) -> None:
        self.figure = plain(title, _HEIGHT, **options)
        self.figure.xaxis.axis_label, self.figure.yaxis.axis_label = x_label, y_label
        self._name = name
        self._recorded: ColumnDataSource | None = None
        self._seen: ColumnDataSource | None = None
        self._band = ColumnDataSource({"x": [], "y": []}, name=f"band {name}")
        self._lines = ColumnDataSource({"x": [], "y": [], "colour": []}, name=f"curves {name}")
        self._names = ColumnDataSource({"x": [], "y": [], "colour": [], "name": []})
        self.figure.patches("x", "y", source=self._band, color="#0072B2", line_alpha=0.0, fill_alpha=0.2)
        self.figure.multi_line("x", "y", source=self._lines, color="colour", line_width=2)
        self.figure.text(
            "x", "y", "name", source=self._names, color="colour", text_align="right", y_offset=-3,
            text_font_size="8pt",
        )  # fmt: skip

    def record(self, recorded: Sequence[_Curve], seen: Sequence[_Curve]) -> None:
        """Recorded points, and the same as the model has them; they are drawn once there are any."""
        if self._recorded is None and recorded:
            self._recorded = ColumnDataSource({"x": [], "y": [], "colour": []}, name=f"recorded {self._name}")
            self._seen = ColumnDataSource({"x": [], "y": [], "colour": []}, name=f"seen {self._name}")
            self.figure.scatter("x", "y", source=self._recorded, color="colour", size=3, alpha=0.5)
            self.figure.multi_line("x", "y", source=self._seen, color="colour", line_dash="dashed", line_width=1)
        if self._recorded is None or self._seen is None:
            return
        # None where no simulation of an experiment with records is finite.
        flat = {axis: np.concatenate([np.zeros(0), *(getattr(c, axis) for c in recorded)]) for axis in ("x", "y")}
        put(self._recorded, {**flat, "colour": [c.colour for c in recorded for _ in c.x]})
        put(self._seen, {"x": [c.x for c in seen], "y": [c.y for c in seen], "colour": [c.colour for c in seen]})

    def show(
        self,
        curves: Sequence[_Curve],
        *,
        logarithmic: bool = False,
        floor: float | None = None,
        also: Sequence[_Curve] = (),
    ) -> None:
        """Put curves into the figure; the axis follows them, and what else is to be seen."""
        columns = {"x": [c.x for c in curves], "y": [c.y for c in curves], "colour": [c.colour for c in curves]}
        put(self._lines, columns)
        follow(self.figure.y_range, [*columns["y"], *(c.y for c in also)], logarithmic=logarithmic, floor=floor)
        named = [c for c in curves if len(c.x)]
        scale = np.log10 if logarithmic else np.asarray
        limits = scale(np.array([self.figure.y_range.start, self.figure.y_range.end]))
        places = _apart(named, [(scale(c.y) - limits[0]) / (limits[1] - limits[0]) for c in named])
        put(
            self._names,
            {"x": [float(c.x[k]) for c, k in zip(named, places, strict=True)],
             "y": [float(c.y[k]) for c, k in zip(named, places, strict=True)],
             "colour": [c.colour for c in named], "name": [c.name for c in named]},
        )  # fmt: skip

    def banded(self, x: np.ndarray, band: Band | None) -> None:
        """A band of 95 %; none for None."""
        if band is None:
            put(self._band, {"x": [], "y": []})
            return
        known = np.isfinite(band.low) & np.isfinite(band.high)
        ends = np.concatenate([band.low[known], band.high[known][::-1]])
        put(self._band, {"x": [np.concatenate([x[known], x[known][::-1]])], "y": [ends]})


def _apart(curves: Sequence[_Curve], heights: Sequence[np.ndarray]) -> list[int]:
    """Points of curves at which their names stand and do not touch; heights are shares of the axis."""
    left, right = min((c.x.min() for c in curves), default=0.0), max((c.x.max() for c in curves), default=1.0)
    places: list[int] = []
    taken: list[tuple[float, float, float]] = []
    for curve, height in zip(curves, heights, strict=True):
        at, width = (curve.x - left) / max(right - left, 1e-300), _LETTER * (1 + len(curve.name))
        free = (
            k
            for k in reversed(range(len(at)))
            if all(at[k] <= low or at[k] - width >= high or abs(height[k] - y) > _LINE for low, high, y in taken)
        )
        k = next(free, len(at) - 1)
        places.append(k)
        taken.append((at[k] - width, at[k], float(height[k])))
    return places


class LawCharts:
    """Figures of laws and of courses in time, and what is put into them."""

    def __init__(self, measurements: tuple[Measurement, ...], colours: Mapping[str, str]) -> None:
        self._colours = colours
        self._own = _of_experiments(measurements, colours)
        fractions, self._hours = interval(-0.02, 1.02), interval(0.0, 1.0)
        self._diffusivity = _Curves(
            "Diffusivity", LAW_FRACTION, "D / (m²/s)", name="D", y_axis_type="log", x_range=fractions,
            y_range=interval(1e-24, 1e-18),
        )  # fmt: skip
        self._activation = _Curves(
            "Activation energy above the bulk", LAW_FRACTION, "ΔE / eV", name="activation", x_range=fractions,
            y_range=interval(0.0, 0.5),
        )  # fmt: skip
        self._sites = _Curves(
            "Site energies", "energy above the Fermi level of the bulk / eV", "sites / (1/eV)", name="sites",
            x_range=interval(-0.5, 0.3), y_range=interval(0.0, 4.0),
        )  # fmt: skip
        self._areas = ColumnDataSource({"x": [], "y": [], "colour": []}, name="populated and emptied")
        self._sites.figure.patches(
            "x", "y", source=self._areas, color="colour", line_alpha=0.0, fill_alpha=0.45, level="underlay"
        )
        times = {"x_range": self._hours, "y_range": interval(0.0, 1.0)}
        self._current = _Curves("Current", "time / h", "current / (nA/cm²)", name="current", **times)
        times = {"x_range": self._hours, "y_range": interval(0.0, 1.0)}
        self._potential = _Curves("Potential of the surface", "time / h", "U / V", name="potential", **times)
        ions = [ion for measurement in measurements for ion in measurement.experiment.species]
        self._has_sites = any(isinstance(ion.diffusivity, SEDDiffusivity) for ion in ions)
        laws = [self._diffusivity, *([self._activation, self._sites] if self._has_sites else [])]
        rows = [laws, [self._current, self._potential]]
        self.column = Column(
            children=[Row(children=[one.figure for one in row], sizing_mode="stretch_width") for row in rows],
            sizing_mode="stretch_width",
        )

    def show(self, picture: Picture) -> None:
        """Put a picture into the figures."""
        laws: list[Law] = []
        for law in (law for panel in picture.panels for law in panel.laws):
            # One law in several experiments is one curve.
            if not any(law.species == other.species and _same(law, other) for other in laws):
                laws.append(law)
        colour = self._colours
        lines = [_Curve(law.fraction, law.diffusivity, colour[law.species], law.species) for law in laws]
        self._diffusivity.show(lines, logarithmic=True)
        if self._has_sites:
            barriers = [
                _Curve(law.fraction, law.activation, colour[law.species], law.species)
                for law in laws
                if law.activation is not None
            ]
            self._activation.show(barriers, floor=0.0)
            self._show_sites(picture.panels)
        shown = [(p, c) for p, c in zip(picture.panels, self._own, strict=True) if p.status is not Status.NOT_FINITE]
        follow(self._hours, [panel.hours for panel, _ in shown], floor=0.0)
        for quantity, one in (("current", self._current), ("potential", self._potential)):
            recorded, seen = _recorded(shown, quantity)
            # The name of the only experiment would lie on its curve and say nothing.
            lines = [_Curve(p.hours, getattr(p, quantity), c, p.name if len(self._own) > 1 else "") for p, c in shown]
            one.show(lines, floor=0.0, also=[*recorded, *seen])
            one.record(recorded, seen)

    def _show_sites(self, panels: tuple[Panel, ...]) -> None:
        """Sites of the first ion that has a distribution, emptied as far as in the experiment that empties most."""
        laws = [(panel, law) for panel in panels for law in panel.laws if law.density is not None]
        first = laws[0][1]
        alike = [(panel, law) for panel, law in laws if law.species == first.species and _same(first, law)]
        deepest, level = min(((p, law.emptied) for p, law in alike), key=lambda pair: np.nan_to_num(pair[1]))
        energy, density = np.asarray(first.energy), np.asarray(first.density)
        level = float(np.nan_to_num(level))
        areas = []
        # Both areas end at the levels themselves, wherever the points are.
        for low, high in ((float(energy[0]), level), (level, 0.0)):
            inner = energy[(energy > low) & (energy < high)]
            x = np.concatenate([[low], inner, [high]])
            areas.append((np.concatenate([x, x[::-1]]), np.concatenate([np.interp(x, energy, density), 0.0 * x])))
        put(self._areas, {"x": [x for x, _ in areas], "y": [y for _, y in areas], "colour": [COLOURS[5], COLOURS[1]]})
        follow(self._sites.figure.x_range, [energy])
        self._sites.show([_Curve(energy, density, "#444444", "")], floor=0.0)
        where = f" in {deepest.name}" if len(panels) > 1 else ""
        title = f"Sites of {first.species}; emptied{where}: orange"
        if self._sites.figure.title.text != title:
            self._sites.figure.title.text = title

    def banded(self, bands: LawBands | None) -> None:
        """Bands of 95 % of a fit; none for None."""
        figures = {"diffusivity": self._diffusivity, "activation": self._activation, "density": self._sites}
        for name, one in figures.items():
            part = bands if bands is None or name == "diffusivity" else bands.sites
            if bands is None or part is None:
                one.banded(np.zeros(0), None)
            else:
                x = bands.sites.energy if name == "density" and bands.sites is not None else bands.fraction
                one.banded(x, getattr(part, name))


def _recorded(shown: Sequence[tuple[Panel, str]], quantity: str) -> tuple[list[_Curve], list[_Curve]]:
    """Records of a quantity, and the same as the model has them."""
    factor = SHOWN[quantity][1]
    recorded, seen = [], []
    for panel, colour in shown:
        for one in (one for one in panel.records if one.record.quantity == quantity):
            hours = np.asarray(one.record.at) / 3600.0
            recorded.append(_Curve(hours, factor * np.asarray(one.record.value), colour, panel.name))
            seen.append(_Curve(hours, factor * one.signal, colour, panel.name))
    return recorded, seen


def _of_experiments(measurements: tuple[Measurement, ...], colours: Mapping[str, str]) -> list[str]:
    """A colour for each experiment: that of the ion it brings in, or one by its number where they are the same."""
    beams = [
        next((beam for stage in m.experiment.stages if (beam := getattr(stage.front, "beam", None))), None)
        for m in measurements
    ]
    if len(set(beams)) == len(beams) and None not in beams:
        return [colours[beam] for beam in beams if beam is not None]
    return [COLOURS[k % len(COLOURS)] for k in range(len(beams))]


def _same(a: Law, b: Law) -> bool:
    return bool(np.allclose(a.diffusivity, b.diffusivity, rtol=1e-9, atol=0.0))
