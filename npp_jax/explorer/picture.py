"""Numbers of a picture: what a problem says at one point of its parameters, by the objective that fits use."""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import own_promotion, quick
from npp_jax.constants import NM
from npp_jax.explorer.state import DepthRange, Setting
from npp_jax.fitting import Measurement, Objective, Problem
from npp_jax.physics import Experiment, SEDDiffusivity
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import ACCURATE, FAST
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import STATUS_ADVICE, Status

SETTINGS: dict[Setting, tuple[Controls, Model]] = {
    "fast": (dataclasses.replace(FAST, trace=True), "electroneutral"),
    "accurate": (ACCURATE, "electroneutral"),
    "full": (ACCURATE, "full"),
}
"""Controls and model of each setting; the history over the steps is drawn."""

_FRACTIONS = np.concatenate([np.geomspace(1e-3, 0.05, 40, endpoint=False), np.linspace(0.05, 1.0, 100)])


class Law(NamedTuple):
    """Diffusivity of an ion."""

    species: str
    fraction: Float[np.ndarray, " point"]
    """Fraction of the ion over its bulk content, or over N of a foreign ion [1]."""
    diffusivity: Float[np.ndarray, " point"]
    """D [m²/s]."""
    activation: Float[np.ndarray, " point"] | None
    """E_act(n) - E_act(bulk), with a distribution of site energies [eV]."""
    energy: Float[np.ndarray, " energy"] | None
    """Energy of the sites, from the Fermi energy of the bulk [eV]."""
    density: Float[np.ndarray, " energy"] | None
    """Density of sites over the total [1/eV]."""
    emptied: float
    """Fermi energy at the plateau behind the front, from that of the bulk [eV]."""


class Panel(NamedTuple):
    """What is shown of one experiment."""

    name: str
    species: tuple[str, ...]
    depth: Float[np.ndarray, "output point"]
    """Depth of the points [nm]."""
    fraction: Float[np.ndarray, "output species point"]
    """Composition at them [1]."""
    hours: Float[np.ndarray, " step"]
    """Time of the steps [h]."""
    current: Float[np.ndarray, " step"]
    """Current density [nA/cm²]."""
    potential: Float[np.ndarray, " step"]
    """Potential of the surface [V]."""
    front: tuple[float, float, float]
    """Depth and width of the front [nm], native fraction behind it [1]."""
    status: Status
    profile_error: float
    """Estimated error of the last profile [1]."""
    laws: tuple[Law, ...]
    signal: Float[np.ndarray, "species depth"] | None
    """What the instrument would see at the measured depths; None where nothing was measured [1]."""
    residual: Float[np.ndarray, "species depth"] | None
    """Residuals over their standard deviations; NaN where a point does not count."""
    chi2: float
    """χ² of the profile; NaN where nothing was measured."""
    points: int
    """Measured points that count."""

    def words(self) -> str:
        """How the solver ended."""
        return STATUS_ADVICE[self.status]


class Picture(NamedTuple):
    """What is shown of a problem."""

    panels: tuple[Panel, ...]
    setting: Setting

    @property
    def chi2(self) -> float:
        """χ² of all measured profiles."""
        return float(np.nansum([panel.chi2 for panel in self.panels]))


class Painter:
    """Makes pictures of one problem; each setting is compiled once, with parameters and weights as numbers."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._compiled: dict[Setting, Callable[..., Any]] = {}
        self._compiling = {setting: threading.Lock() for setting in SETTINGS}

    def knows(self, setting: Setting) -> bool:
        """Whether a setting is compiled."""
        return setting in self._compiled

    @own_promotion
    def paint(self, values: Sequence[float], ranges: Sequence[DepthRange], setting: Setting) -> Picture:
        """Picture at values of the parameters, with χ² over ranges of depth."""
        weights = weights_over(self.problem, ranges)
        arguments = (jnp.asarray(values, float), weights)
        with self._compiling[setting]:
            if setting not in self._compiled:
                function = _numbers(Objective(self.problem, *SETTINGS[setting]))
                self._compiled[setting] = jax.jit(function, compiler_options=quick()).lower(*arguments).compile()
        found = jax.device_get(self._compiled[setting](*arguments))
        panels = [
            _panel(m, w, *numbers) for m, w, *numbers in zip(self.problem.measurements, weights, *found, strict=True)
        ]
        return Picture(tuple(panels), setting)


def weights_over(problem: Problem, ranges: Sequence[DepthRange]) -> list[np.ndarray | None]:
    """Weights of the measured points of each experiment, zero outside of its range of depths."""
    found: list[np.ndarray | None] = []
    for measurement, depths in zip(problem.measurements, ranges, strict=True):
        profile = measurement.profile
        if profile is None:
            found.append(None)
            continue
        weight, depth = np.array(profile.weight), np.asarray(profile.depth)
        if depths is not None:
            weight[:, (depth < depths[0]) | (depth > depths[1])] = 0.0
        found.append(weight)
    return found


def _numbers(objective: Objective) -> Callable[[Array, list[Array | None]], Any]:
    """Solutions, signals, residuals and laws, as arrays, of each experiment."""

    def function(theta: Array, weights: list[Array | None]) -> Any:
        of, row = objective.weighted(weights), theta[None]
        solutions = of.solve(row)
        seen = of.compare(solutions, row)
        rest = zip(seen.signals, seen.residuals, strict=True)
        compared = [None if m.profile is None else next(rest) for m in of.problem.measurements]
        single = [jax.tree.map(lambda leaf: leaf[..., 0], solution) for solution in solutions]
        laws = [
            _laws(of.problem.experiment(m, theta), solution.plateau[-1])
            for m, solution in zip(of.problem.measurements, single, strict=True)
        ]
        return single, compared, laws

    return function


def _laws(experiment: Experiment, plateau: Array) -> list[tuple[Array, ...]]:
    """D, and with site energies activation, energies, density and the level at the plateau, of each ion."""
    temperature, fraction = jnp.asarray(experiment.stages[0].temperature), jnp.asarray(_FRACTIONS)
    found = []
    for ion in experiment.species:
        law = ion.diffusivity
        if not isinstance(law, SEDDiffusivity):
            found.append((law.at(temperature)(fraction),))
            continue
        low, high = law.sed.support()
        energy = jnp.linspace(0.5 * low, 0.5 * high, 240)
        bulk = law.fermi_energy(jnp.ones(1), temperature)[0]
        level = law.fermi_energy(jnp.maximum(plateau, 1e-6)[None], temperature)[0]
        found.append(
            (
                law.at(temperature)(fraction),
                law.activation_energy(fraction, temperature),
                energy - bulk,
                law.sed.density(energy),
                level - bulk,
            )
        )
    return found


def _panel(
    measurement: Measurement, weight: np.ndarray | None, solution: Solution, compared: Any, laws: list[tuple[Any, ...]]
) -> Panel:
    trace, report = solution.trace, solution.report
    signal = residual = None
    chi2, points = float("nan"), 0
    if compared is not None and weight is not None:
        signal, rows = np.asarray(compared[0][0]), np.asarray(compared[1][0])
        chi2, points = float(rows @ rows), int(np.sum(weight > 0.0))
        residual = np.where(weight > 0.0, rows[: weight.size].reshape(weight.shape), np.nan)
    return Panel(
        name=measurement.name,
        species=solution.species,
        depth=np.asarray(solution.depth) / NM,
        fraction=np.asarray(solution.fraction),
        hours=np.asarray(trace.time) / 3600.0,
        current=np.asarray(trace.current_density) * 1e5,
        potential=np.asarray(trace.surface_potential),
        front=(
            float(solution.front_depth[-1]) / NM,
            float(solution.front_width[-1]) / NM,
            float(solution.plateau[-1]),
        ),
        status=Status(int(report.status)),
        profile_error=float(report.profile_error[-1]),
        laws=tuple(_law(ion.name, *found) for ion, found in zip(measurement.experiment.species, laws, strict=True)),
        signal=signal,
        residual=residual,
        chi2=chi2,
        points=points,
    )


def _law(species: str, diffusivity: Array, *sites: Array) -> Law:
    activation, energy, density, level = (np.asarray(s) for s in sites) if sites else (None, None, None, None)
    emptied = float("nan") if level is None else float(level)
    return Law(species, _FRACTIONS, np.asarray(diffusivity), activation, energy, density, emptied)
