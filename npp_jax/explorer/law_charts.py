"""Figures of the page for all experiments: diffusivities, activation energies, site energies, current and potential."""

from collections.abc import Mapping

import numpy as np
from bokeh.models import ColumnDataSource, Range1d
from bokeh.models.layouts import Column, Row
from bokeh.plotting import figure

from npp_jax.explorer.common import follow, plain, put
from npp_jax.explorer.picture import Law, Panel, Picture
from npp_jax.figures.simulation import COLOURS
from npp_jax.fitting.band import LawBands
from npp_jax.fitting.problem import Measurement
from npp_jax.physics import SEDDiffusivity
from npp_jax.simulation.status import Status

_HEIGHT = 230
_EMPTY = {"x": [], "low": [], "high": []}


class LawCharts:
    """Figures of laws and of courses in time, and what is put into them."""

    def __init__(self, measurements: tuple[Measurement, ...], colours: Mapping[str, str]) -> None:
        self._measurements = measurements
        self._lines = {
            (m.name, ion.name): ColumnDataSource({"x": [], "D": []})
            for m in measurements
            for ion in m.experiment.species
        }
        self._barriers = {
            (m.name, ion.name): ColumnDataSource({"x": [], "y": []})
            for m in measurements
            for ion in m.experiment.species
            if isinstance(ion.diffusivity, SEDDiffusivity)
        }
        self._courses = {m.name: ColumnDataSource({"t": [], "j": [], "U": []}) for m in measurements}
        self._sites, self._full, self._emptied = (
            ColumnDataSource({"x": [], "y": []}), ColumnDataSource(_EMPTY), ColumnDataSource(_EMPTY)
        )  # fmt: skip
        self._bands = {name: ColumnDataSource(_EMPTY) for name in ("diffusivity", "activation", "density")}
        self.diffusivity = plain(
            "Diffusivity", _HEIGHT, y_axis_type="log", x_range=Range1d(-0.02, 1.02), y_range=Range1d(1e-24, 1e-18)
        )
        self.diffusivity.xaxis.axis_label, self.diffusivity.yaxis.axis_label = "fraction n/n_ref", "D / (m²/s)"
        self._band(self.diffusivity, "diffusivity")
        for (_, ion), source in self._lines.items():
            self.diffusivity.line("x", "D", source=source, color=colours[ion], line_width=2, legend_label=ion)
        _legend(self.diffusivity, "bottom_right")
        figures = [self.diffusivity]
        if self._barriers:
            figures += [self._activation(colours), self._site_energies()]
        times, self._hours = [], Range1d(0.0, 1.0)
        own = _of_experiments(measurements, colours)
        for key, title, label in (("j", "Current", "current / (nA/cm²)"), ("U", "Potential of the surface", "U / V")):
            one = plain(title, _HEIGHT, x_range=self._hours, y_range=Range1d(0.0, 1.0))
            one.xaxis.axis_label, one.yaxis.axis_label = "time / h", label
            for k, (name, source) in enumerate(self._courses.items()):
                dash = "solid" if len(self._courses) <= len(COLOURS) else ["solid", "dashed"][k // len(COLOURS) % 2]
                colour = own[k]
                one.line("t", key, source=source, color=colour, line_width=2, line_dash=dash, legend_label=name)
                one.scatter("t", key, source=source, color=colour, size=3)
            _legend(one, "top_right" if key == "j" else "bottom_right")
            times.append(one)
        self.current, self.potential = times
        self.column = Column(
            children=[
                Row(children=figures, sizing_mode="stretch_width"),
                Row(children=times, sizing_mode="stretch_width"),
            ],
            sizing_mode="stretch_width",
        )  # fmt: skip

    def _band(self, one: figure, name: str) -> None:
        one.varea("x", "low", "high", source=self._bands[name], fill_color="#0072B2", fill_alpha=0.2)

    def _activation(self, colours: Mapping[str, str]) -> figure:
        one = plain(
            "Activation energy above the bulk", _HEIGHT, x_range=Range1d(-0.02, 1.02), y_range=Range1d(0.0, 0.5)
        )
        one.xaxis.axis_label, one.yaxis.axis_label = "fraction n/n_bulk", "E_act(n) − E_act(bulk) / eV"
        self._band(one, "activation")
        for (_, ion), source in self._barriers.items():
            one.line("x", "y", source=source, color=colours[ion], line_width=2, legend_label=ion)
        _legend(one, "top_right")
        self.activation = one
        return one

    def _site_energies(self) -> figure:
        one = plain("Site energies", _HEIGHT, x_range=Range1d(-0.5, 0.3), y_range=Range1d(0.0, 4.0))
        one.xaxis.axis_label, one.yaxis.axis_label = "E − E_F(bulk) / eV", "density of sites / (1/eV)"
        one.varea("x", "low", "high", source=self._full, fill_color=COLOURS[5], fill_alpha=0.45,
                  legend_label="populated")  # fmt: skip
        one.varea("x", "low", "high", source=self._emptied, fill_color=COLOURS[1], fill_alpha=0.5,
                  legend_label="emptied")  # fmt: skip
        one.line("x", "y", source=self._sites, color="#444444", line_width=2, legend_label="sites")
        self._band(one, "density")
        _legend(one, "top_left")
        self.site_energies = one
        return one

    def show(self, picture: Picture) -> None:
        """Put a picture into the figures."""
        shown: list[tuple[str, Law]] = []
        for panel in picture.panels:
            for law in panel.laws:
                new = not any(ion == law.species and _same(law, other) for ion, other in shown)
                shown.append((law.species, law))
                key = (panel.name, law.species)
                put(
                    self._lines[key],
                    {"x": law.fraction, "D": law.diffusivity} if new else {"x": [], "D": []}
                )  # fmt: skip
                if key in self._barriers and law.activation is not None:
                    put(
                        self._barriers[key],
                        {"x": law.fraction, "y": law.activation} if new else {"x": [], "y": []}
                    )  # fmt: skip
            finite = panel.status is not Status.NOT_FINITE
            hours, current, potential = (v if finite else v[:0] for v in (panel.hours, panel.current, panel.potential))
            put(self._courses[panel.name], {"t": hours, "j": current, "U": potential})
        laws = [law for _, law in shown]
        follow(self.diffusivity.y_range, [law.diffusivity for law in laws], logarithmic=True)
        panels = [panel for panel in picture.panels if panel.status is not Status.NOT_FINITE]
        follow(self._hours, [panel.hours for panel in panels], floor=0.0)
        follow(self.current.y_range, [panel.current for panel in panels], floor=0.0)
        follow(self.potential.y_range, [panel.potential for panel in panels], floor=0.0)
        if self._barriers:
            follow(self.activation.y_range, [law.activation for law in laws if law.activation is not None], floor=0.0)
            self._show_sites(picture.panels)

    def _show_sites(self, panels: tuple[Panel, ...]) -> None:
        """Sites of the first ion that has a distribution, emptied as far as in the experiment that empties most."""
        laws = [(panel, law) for panel in panels for law in panel.laws if law.density is not None]
        first = laws[0][1]
        alike = [(panel, law) for panel, law in laws if law.species == first.species and _same(first, law)]
        deepest, level = min(((p, law.emptied) for p, law in alike), key=lambda pair: np.nan_to_num(pair[1]))
        energy, density = np.asarray(first.energy), np.asarray(first.density)
        put(self._sites, {"x": energy, "y": density})
        follow(self.site_energies.x_range, [energy])
        follow(self.site_energies.y_range, [density], floor=0.0)
        level = float(np.nan_to_num(level))
        # Both areas end at the levels themselves, wherever the points are.
        for source, low, high in ((self._full, -np.inf, level), (self._emptied, level, 0.0)):
            x = energy[(energy > low) & (energy < high)]
            x = np.concatenate([[low] if np.isfinite(low) else [], x, [high]])
            y = np.interp(x, energy, density)
            put(source, {"x": x, "low": np.zeros_like(x), "high": y})
        where = f", emptied in {deepest.name}" if len(panels) > 1 else ""
        self.site_energies.title.text = f"Site energies of {first.species}{where}"

    def banded(self, bands: LawBands | None) -> None:
        """Bands of 95 % of a fit; none for None."""
        for name, source in self._bands.items():
            if bands is None:
                put(source, dict(_EMPTY))
                continue
            band = getattr(bands, name)
            x = bands.energy if name == "density" else bands.fraction
            put(source, {"x": x, "low": band.low, "high": band.high})


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


def _legend(one: figure, place: str) -> None:
    if len(one.legend[0].items) > 1:
        # Above, where it covers no curve.
        one.legend.orientation, one.legend.margin = "horizontal", 0
        one.add_layout(one.legend[0], "above")
    one.legend.location = place if len(one.legend[0].items) == 1 else "left"
    one.legend.border_line_alpha = 0.0
    one.legend.background_fill_alpha = 0.6
    one.legend.padding, one.legend.spacing = 3, 0
    one.legend.label_text_font_size = "8pt"
