"""One figure of a profile: measured points, what the instrument would see, composition, bands and overlays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from jaxtyping import Float

from npp_jax.explorer.common import FRACTION, interval, plain, put
from npp_jax.explorer.picture import Panel
from npp_jax.fitting import Measurement
from npp_jax.simulation.status import Status

FLOOR = 1e-4
"""Least fraction of the logarithmic figure."""

_STYLE = ("x", "y", "colour", "alpha", "dash", "width", "label")
"""Columns of the curves."""


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

    def __init__(self, measurement: Measurement, colours: Mapping[str, str], depths: Any, *, logarithmic: bool) -> None:
        self._measurement, self._colours, self._depths = measurement, colours, depths
        self._species = tuple(ion.name for ion in measurement.experiment.species)
        profile = measurement.profile
        self._measured = () if profile is None else profile.species
        # By these names the page is asked for its curves.
        of = f"{'log ' if logarithmic else ''}{measurement.name}"
        self.curves = ColumnDataSource({key: [] for key in _STYLE}, name=f"curves {of}")
        self._frozen: list[tuple[np.ndarray, np.ndarray, str]] = []
        self._shown: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._panel: Panel | None = None
        self._band = ColumnDataSource({"x": [], "y": [], "colour": []}, name=f"band {of}")
        options = {"y_axis_type": "log", "y_range": interval(FLOOR, 2.0)} if logarithmic else {}
        self.figure = plain(
            "Profile, logarithmic" if logarithmic else "Profile", 210 if logarithmic else 230, x_range=depths,
            **{"y_range": interval(-0.05, 1.15), **options},
        )  # fmt: skip
        self.figure.yaxis.axis_label = FRACTION
        self._least = 0.2 * FLOOR if logarithmic else -np.inf
        self._draw(logarithmic)

    def _draw(self, logarithmic: bool) -> None:
        """All of a kind in one glyph: what each glyph costs the browser is more than what is in it."""
        profile, one = self._measurement.profile, self.figure
        if profile is not None:
            parts = []
            for k, name in enumerate(self._measured):
                value, sigma = np.asarray(profile.fraction[k]), np.asarray(profile.sigma[k])
                shown = (np.asarray(profile.weight[k]) > 0.0) & ((value > 0.0) | (not logarithmic))
                low = np.maximum(value - sigma, 0.2 * FLOOR) if logarithmic else value - sigma
                columns = (np.asarray(profile.depth), value, low, value + sigma)
                parts.append([*(column[shown] for column in columns), np.full(shown.sum(), self._colours[name])])
            keys = ("x", "y", "low", "high", "colour")
            points = {key: np.concatenate(column) for key, column in zip(keys, zip(*parts, strict=True), strict=True)}
            source = ColumnDataSource({**points, "colour": points["colour"].tolist()})
            one.segment("x", "low", "x", "high", source=source, color="colour", line_alpha=0.25)
            one.scatter("x", "y", source=source, size=3, color="colour", alpha=0.45)
            one.patches("x", "y", source=self._band, color="colour", line_alpha=0.0, fill_alpha=0.25)
        one.multi_line(
            "x", "y", source=self.curves, color="colour", line_alpha="alpha", line_dash="dash", line_width="width"
        )

    def show(self, panel: Panel) -> None:
        """Put the curves of a picture into the figure."""
        self._panel, self._shown = panel, {}
        # Later outputs are drawn stronger, and what is not to be trusted paler.
        strength = 0.5 if panel.status >= Status.NOT_CONVERGED else 1.0
        # Cells are wide where nothing happens: a curve ends between two, as dots to the back would take a browser long.
        edge = min(1.5 * float(self._depths.end), float(np.min(panel.depth[:, -1])))
        inside = panel.depth <= edge
        rows: list[tuple[Any, ...]] = [(x, y, colour, 0.8, "dashed", 1.0, "frozen") for x, y, colour in self._frozen]
        count = len(panel.depth)
        for i, name in enumerate(panel.species):
            seen = name in self._measured
            x = y = np.zeros(0)
            for k, (depth, values, near) in enumerate(zip(panel.depth, panel.fraction, inside, strict=True)):
                x, y = np.append(depth[near], edge), np.append(values[i][near], np.interp(edge, depth, values[i]))
                alpha = strength * (0.3 + 0.7 * (k + 1) / count)
                style = ("dotted", 1.0) if seen else ("solid", 2.0)
                rows.append((x, y, self._colours[name], alpha, *style, f"composition {name}"))
            self._shown[name] = (x, y)
        if panel.signal is not None and self._measurement.profile is not None:
            depth = np.asarray(self._measurement.profile.depth)
            for k, name in enumerate(self._measured):
                rows.append((depth, panel.signal[k], self._colours[name], strength, "solid", 2.0, f"signal {name}"))
                self._shown[name] = (depth, panel.signal[k])
        put(self.curves, {key: list(column) for key, column in zip(_STYLE, zip(*rows, strict=True), strict=True)})

    @property
    def frozen(self) -> tuple[tuple[np.ndarray, np.ndarray, str], ...]:
        """Depths, fractions and colour of the curves that are kept as an overlay."""
        return tuple(self._frozen)

    def freeze(self) -> None:
        """Keep the curves of now as an overlay, beside those that are kept."""
        self._frozen += [(x, y, self._colours[name]) for name, (x, y) in self._shown.items()]
        self._again()

    def clear(self) -> None:
        """Take the overlays away."""
        self._frozen = []
        self._again()

    def _again(self) -> None:
        if self._panel is not None:
            self.show(self._panel)

    def banded(self, half: Float[np.ndarray, "species depth"] | None) -> None:
        """Bands of 95 % about the signal of now; none for None."""
        band: dict[str, Any] = {"x": [], "y": [], "colour": []}
        for k, name in enumerate(() if half is None else self._measured):
            assert half is not None
            x, y = self._shown[name]
            band["x"].append(np.concatenate([x, x[::-1]]))
            # A logarithmic axis has no place for what is not positive.
            ends = np.concatenate([y - half[k], (y + half[k])[::-1]])
            band["y"].append(np.maximum(ends, self._least))
            band["colour"].append(self._colours[name])
        put(self._band, band)
