"""One figure of a profile: measured points, what the instrument would see, composition, bands and overlays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Range1d
from jaxtyping import Float

from npp_jax.explorer.common import plain, put
from npp_jax.explorer.picture import Panel
from npp_jax.fitting import Measurement
from npp_jax.simulation.status import Status

FLOOR = 1e-4
"""Least fraction of the logarithmic figure."""

_EMPTY = {"x": [], "low": [], "high": []}


class ProfileFigure:
    """Figure of the profile of one experiment, linear or logarithmic, with data of its own.

    Parameters
    ----------
    measurement
        The experiment, and what was measured on it.
    colours
        Colour of each species.
    depths
        Axis of depth, which several figures share.
    logarithmic
        Whether fractions are.
    """

    def __init__(
        self, measurement: Measurement, colours: Mapping[str, str], depths: Range1d, *, logarithmic: bool
    ) -> None:
        self._measurement, self._colours, self._depths = measurement, colours, depths
        self._species = tuple(ion.name for ion in measurement.experiment.species)
        profile = measurement.profile
        self._measured = () if profile is None else profile.species
        # By these names the page is asked for its curves.
        of = f"{'log ' if logarithmic else ''}{measurement.name}"
        self.composition = {
            name: ColumnDataSource({"x": [], "y": [], "alpha": []}, name=f"composition {of} {name}")
            for name in self._species
        }
        self.signal = {
            name: ColumnDataSource({"x": [], "y": []}, name=f"signal {of} {name}") for name in self._measured
        }
        self._frozen = ColumnDataSource({"x": [], "y": [], "colour": []}, name=f"frozen {of}")
        self._band = {name: ColumnDataSource(_EMPTY, name=f"band {of} {name}") for name in self._measured}
        options = {"y_axis_type": "log", "y_range": Range1d(FLOOR, 2.0)} if logarithmic else {}
        self.figure = plain(
            "Profile, logarithmic" if logarithmic else "Profile", 210 if logarithmic else 230, x_range=depths,
            **{"y_range": Range1d(-0.05, 1.15), **options},
        )  # fmt: skip
        self.figure.yaxis.axis_label = "fraction n/N"
        self._draw(logarithmic)

    def _draw(self, logarithmic: bool) -> None:
        profile, one = self._measurement.profile, self.figure
        one.multi_line("x", "y", source=self._frozen, color="colour", line_dash="dashed", line_alpha=0.8)
        for name in self._species:
            colour = self._colours[name]
            if profile is not None and name in self._measured:
                k = self._measured.index(name)
                value, sigma = np.asarray(profile.fraction[k]), np.asarray(profile.sigma[k])
                low = np.maximum(value - sigma, 0.2 * FLOOR) if logarithmic else value - sigma
                shown = np.asarray(profile.weight[k]) > 0.0
                shown &= (value > 0.0) | (not logarithmic)
                columns = {"x": np.asarray(profile.depth), "y": value, "low": low, "high": value + sigma}
                points = ColumnDataSource({key: column[shown] for key, column in columns.items()})
                one.segment("x", "low", "x", "high", source=points, color=colour, line_alpha=0.25)
                one.scatter("x", "y", source=points, size=3, color=colour, alpha=0.45)
                one.varea("x", "low", "high", source=self._band[name], fill_color=colour, fill_alpha=0.25)
                one.multi_line(
                    "x", "y", source=self.composition[name], color=colour, line_dash="dotted", line_alpha="alpha"
                )
                one.line("x", "y", source=self.signal[name], color=colour, line_width=2, legend_label=name)
            else:
                one.multi_line(
                    "x", "y", source=self.composition[name], color=colour, line_width=2, line_alpha="alpha",
                    legend_label=name,
                )  # fmt: skip
        one.legend.visible = not logarithmic
        one.legend.location = "right"
        one.legend.border_line_alpha = 0.0
        one.legend.background_fill_alpha = 0.6
        one.legend.padding, one.legend.spacing = 3, 0

    def show(self, panel: Panel) -> None:
        """Put the curves of a picture into the figure."""
        failed = panel.status >= Status.NOT_CONVERGED
        # Later outputs are drawn stronger, and what is not to be trusted paler.
        alphas = (0.3 + 0.7 * (np.arange(len(panel.depth)) + 1) / len(panel.depth)) * (0.5 if failed else 1.0)
        inside = panel.depth <= 1.5 * float(self._depths.end)
        for i, name in enumerate(panel.species):
            x = [depth[near] for depth, near in zip(panel.depth, inside, strict=True)]
            y = [values[i][near] for values, near in zip(panel.fraction, inside, strict=True)]
            put(self.composition[name], {"x": x, "y": y, "alpha": alphas})
        if panel.signal is not None and self._measurement.profile is not None:
            depth = np.asarray(self._measurement.profile.depth)
            for k, name in enumerate(self._measured):
                put(self.signal[name], {"x": depth, "y": panel.signal[k]})

    def freeze(self) -> None:
        """Keep the curves of now as an overlay, beside those that are kept."""
        kept = {key: list(column) for key, column in self._frozen.data.items()}
        for name in self._species:
            if name in self._measured:
                x, y = (self.signal[name].data[key] for key in ("x", "y"))
            else:
                data = self.composition[name].data
                x, y = data["x"][-1], data["y"][-1]
            kept["x"].append(np.asarray(x))
            kept["y"].append(np.asarray(y))
            kept["colour"].append(self._colours[name])
        self._frozen.data = kept

    def clear(self) -> None:
        """Take the overlays away."""
        self._frozen.data = {"x": [], "y": [], "colour": []}

    def banded(self, half: Float[np.ndarray, "species depth"] | None) -> None:
        """Bands of 95 % about the signal of now; none for None."""
        for k, name in enumerate(self._measured):
            band: dict[str, Any] = dict(_EMPTY)
            if half is not None:
                data = self.signal[name].data
                y = np.asarray(data["y"])
                band = {"x": data["x"], "low": y - half[k], "high": y + half[k]}
            put(self._band[name], band)
