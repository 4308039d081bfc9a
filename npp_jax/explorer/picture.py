"""Numbers of a picture: what a problem says at one point of its parameters, by the objective that fits use."""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import Program, own_promotion, quick, signature
from npp_jax.constants import NM
from npp_jax.explorer.state import DepthRange, Setting
from npp_jax.figures.axes import reach
from npp_jax.fitting import Measurement, Objective, Problem
from npp_jax.inference import misfit
from npp_jax.observe import Record
from npp_jax.physics import Experiment, MutualDiffusivity, SEDDiffusivity
from npp_jax.physics.experiment import laws_of
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import ACCURATE, FAST
from npp_jax.simulation.solution import Model
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


class RecordPanel(NamedTuple):
    """What is shown of a record of one experiment."""

    record: Record
    signal: Float[np.ndarray, " point"]
    """The record as the model has it, with its gain [unit of the record]."""
    chi2: float
    """χ² of the record, the pull of its gain included."""

    def words(self) -> str:
        """Misfit in words."""
        quantity = self.record.quantity.replace("_", " ")
        return f"{quantity} χ² {misfit(self.chi2)} / {self.record.at.size}"


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
    """Estimated error of the profile that was measured, or of the last [1]."""
    laws: tuple[Law, ...]
    signal: Float[np.ndarray, "species depth"] | None
    """What the instrument would see at the measured depths; None where nothing was measured [1]."""
    residual: Float[np.ndarray, "species depth"] | None
    """Residuals over their standard deviations; NaN where a point does not count."""
    chi2: float
    """χ² of the profile; NaN where nothing was measured."""
    points: int
    """Measured points of the profile that count."""
    records: tuple[RecordPanel, ...]
    """What was recorded besides the profile."""

    def words(self) -> str:
        """How the solver ended."""
        return STATUS_ADVICE[self.status]

    def far(self) -> float:
        """Depth up to which the composition is worth showing [nm]; NaN where there is none."""
        if not np.isfinite(self.fraction).all():
            return np.nan
        return max(1.0, *(reach(depth, part) for depth, part in zip(self.depth, self.fraction, strict=True)))


class Picture(NamedTuple):
    """What is shown of a problem."""

    panels: tuple[Panel, ...]
    setting: Setting

    @property
    def chi2(self) -> float:
        """χ² of all measured profiles and records."""
        parts = [part.chi2 for panel in self.panels for part in (panel, *panel.records)]
        return float(np.nansum(parts))


class Painter:
    """Makes pictures of one problem; each setting is compiled once, with parameters and weights as numbers."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._lock = threading.Lock()
        self._programs: dict[Setting, Program] = {}
        self._compiled: set[Setting] = set()

    def knows(self, setting: Setting) -> bool:
        """Whether a setting is compiled."""
        return setting in self._compiled

    @own_promotion
    def paint(self, values: Sequence[float], ranges: Sequence[DepthRange], setting: Setting) -> Picture:
        """Picture at values of the parameters, with χ² over ranges of depth."""
        weights = weights_over(self.problem, ranges)
        measured = [weight for weight in weights if weight is not None]
        numbers = jax.device_get(self._program(setting)(jnp.asarray(values, float), *measured))
        self._compiled.add(setting)
        panels = [_panel(m, w, found) for m, w, found in zip(self.problem.measurements, weights, numbers, strict=True)]
        return Picture(tuple(panels), setting)

    def _program(self, setting: Setting) -> Program:
        """What makes the numbers with a setting; it is compiled with its first call."""
        with self._lock:
            if setting not in self._programs:
                objective = Objective(self.problem, *SETTINGS[setting])
                made_of = lambda: "picture" + signature(objective, values=True)  # noqa: E731
                self._programs[setting] = Program(_numbers(objective), made_of, quick())
            return self._programs[setting]


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


def _numbers(objective: Objective) -> Callable[..., list[dict[str, Any]]]:
    """What a panel is made of, for each experiment, from parameters and the weights of the measured ones."""

    def function(theta: Array, *measured: Array) -> list[dict[str, Any]]:
        given = iter(measured)
        of = objective.weighted([None if m.profile is None else next(given) for m in objective.problem.measurements])
        row = theta[None]
        solutions = of.solve(row)
        seen = of.compare(solutions, row)
        # Profiles come first, then the records of each experiment.
        parts = list(zip(seen.signals, seen.residuals, strict=True))
        profiles = sum(m.profile is not None for m in of.problem.measurements)
        measured_in, recorded_in = iter(parts[:profiles]), iter(parts[profiles:])
        found = []
        for measurement, batch in zip(of.problem.measurements, solutions, strict=True):
            one, at = jax.tree.map(lambda leaf: leaf[..., 0], batch), measurement.output
            numbers = {
                "depth": one.depth / NM,
                "fraction": one.fraction,
                "hours": one.trace.time / 3600.0,
                "current": one.trace.current_density * 1e5,
                "potential": one.trace.surface_potential,
                "front": jnp.stack([one.front_depth[at] / NM, one.front_width[at] / NM, one.plateau[at]]),
                "status": one.report.status,
                "profile_error": one.report.profile_error[at],
                "laws": _laws(of.problem.experiment(measurement, theta), one.plateau[at]),
            }
            if measurement.profile is not None:
                signal, residual = next(measured_in)
                numbers |= {"signal": signal[0], "residual": residual[0]}
            of_records = [next(recorded_in) for _ in measurement.records]
            numbers["records"] = [(signal[0], jnp.sum(residual[0] ** 2)) for signal, residual in of_records]
            found.append(numbers)
        return found

    return function


def _laws(experiment: Experiment, plateau: Array) -> list[tuple[Array, ...]]:
    """D, and with site energies activation, energies, density and the level at the plateau, of each ion."""
    temperature, fraction = jnp.asarray(experiment.stages[0].temperature), jnp.asarray(_FRACTIONS)
    found = []
    for ion, known in zip(experiment.species, laws_of(experiment), strict=True):
        law = known.law if isinstance(ion.diffusivity, MutualDiffusivity) else ion.diffusivity
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


def _panel(measurement: Measurement, weight: np.ndarray | None, found: dict[str, Any]) -> Panel:
    residual, chi2, points = None, float("nan"), 0
    if weight is not None:
        rows = found["residual"]
        chi2, points = float(rows @ rows), int(np.sum(weight > 0.0))
        # Drawn as data less model.
        residual = np.where(weight > 0.0, -rows[: weight.size].reshape(weight.shape), np.nan)
    depth, width, plateau = (float(number) for number in found["front"])
    ions = measurement.experiment.species
    return Panel(
        name=measurement.name,
        species=tuple(ion.name for ion in ions),
        **{name: found[name] for name in ("depth", "fraction", "hours", "current", "potential")},
        front=(depth, width, plateau),
        status=Status(int(found["status"])),
        profile_error=float(found["profile_error"]),
        laws=tuple(_law(ion.name, *numbers) for ion, numbers in zip(ions, found["laws"], strict=True)),
        signal=found.get("signal"),
        residual=residual,
        chi2=chi2,
        points=points,
        records=tuple(
            RecordPanel(record, np.asarray(signal), float(own))
            for record, (signal, own) in zip(measurement.records, found["records"], strict=True)
        ),
    )


def _law(species: str, diffusivity: Array, *sites: Array) -> Law:
    activation, energy, density, level = (np.asarray(s) for s in sites) if sites else (None, None, None, None)
    emptied = float("nan") if level is None else float(level)
    return Law(species, _FRACTIONS, np.asarray(diffusivity), activation, energy, density, emptied)
