"""`npp-jax tracer` for Arrhenius lines and Haven ratios."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.report import Line, TracerReport, linear_row, logarithmic_row
from npp_jax.commands.tracer.study import ArrheniusStudy
from npp_jax.commands.tracer.tables import HavenTable, LineTable
from npp_jax.figures.tracer import Activated, arrhenius
from npp_jax.inference import NORMAL_95, Uncertain
from npp_jax.inference.digits import together, with_power
from npp_jax.physics.nernst_einstein import nernst_einstein, tracer_from_cait
from npp_jax.store.arrays import Array
from npp_jax.tracer.transport import ArrheniusFit, fit_arrhenius, haven_ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PointsOf: TypeAlias = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Temperatures [K], D [m²/s] and relative errors of lines by their names."""

_SAME_K = 0.5
"""Difference of temperatures that are one."""


def run_arrhenius(study: ArrheniusStudy) -> TracerReport:
    """Diffusion coefficients from conductivities, Arrhenius lines, Haven ratios."""
    given = [T for line in study.lines for T in line.temperature_K or ()]
    given += [T for pair in study.haven for T in pair.temperature_K]
    span = (min(given), max(given)) if given else (250.0, 500.0)
    lines: list[Line] = []
    warnings: list[str] = []
    arrays: dict[str, Array] = {}
    fits: dict[str, ArrheniusFit] = {}
    points: _PointsOf = {}
    drawn: dict[str, Activated] = {}
    scattered: set[str] = set()
    for k, line in enumerate(study.lines):
        if line.prefactor_m2_s is not None:
            fits[line.name] = _law(line)
            drawn[line.name] = Activated(jnp.asarray(span), None, fit=fits[line.name])
            lines.append(f"{line.name}: D₀ {_told(line.prefactor_m2_s)} m²/s, E_a {line.energy_eV:g} eV as given")
            arrays |= _law_arrays(k, line.name, np.asarray(span), fits[line.name])
            continue
        temperature, D, relative = points[line.name] = _points(line)
        axis, head = f"line{k + 1}_temperature", f"line{k + 1}_"
        arrays[axis] = Array(temperature, "K", f"temperature, {line.name}", (axis,))
        if line.relative_error is not None:
            arrays[f"{head}relative_error"] = Array(relative, "1", f"relative error of D, {line.name}", (axis,))
        arrays[f"{head}D"] = Array(D, "m2 s-1", f"diffusion coefficient, {line.name}", (axis,))
        if line.D_cait_m2_s is not None:
            halves = zip(temperature, np.asarray(tracer_from_cait(D)), strict=True)
            lines += [f"{line.name}: D* {_told(value)} m²/s at {T:g} K, if D_CAIT = 2 D*" for T, value in halves]
        if line.conductivity_S_m is not None:
            lines += [
                f"{line.name}: D_σ {_told(value)} m²/s at {T:g} K" for T, value in zip(temperature, D, strict=True)
            ]
        with_errors = line.relative_error is not None
        if len(set(temperature.tolist())) >= 2:
            fit = fits[line.name] = fit_arrhenius(temperature, D, relative if with_errors else None)
            lines += _fit_lines(line.name, fit, fit.quantile if not with_errors else NORMAL_95)
            arrays |= _law_arrays(k, line.name, temperature, fit)
            arrays[f"{head}covariance"] = Array(
                np.asarray(fit.covariance),
                "1",
                f"covariance of ln D₀ and E_a, {line.name}",
                ("parameter", "parameter2"),
            )
            if not bool(jnp.all(jnp.isfinite(fit.covariance))):
                warnings.append(f"{line.name}: two points without relative_error give a line, and no error of it.")
            elif not with_errors:
                scattered.add(line.name)
                lines.append(
                    f"{line.name}: errors are those of the scatter of {len(D)} points; its 95 % intervals are of "
                    f"{fit.quantile:.3g} standard errors, by Student's t"
                )
        elif len(temperature) > 1:
            warnings.append(f"{line.name}: all points are at {temperature[0]:g} K, which give no line.")
        drawn[line.name] = Activated(
            jnp.asarray(temperature),
            jnp.asarray(D),
            jnp.asarray(relative) if with_errors else None,
            fits.get(line.name),
        )
    for k, pair in enumerate(study.haven):
        ratio = _Ratio.of(pair, fits, points)
        arrays |= ratio.arrays(k)
        lines += ratio.lines(scattered)
        warnings += ratio.warnings()

    def draw() -> "Figure":
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.0, 4.4), layout="constrained")
        arrhenius(figure.subplots(), drawn)
        return figure

    finite = all(np.all(np.isfinite(D)) for _, D, _ in points.values())
    return TracerReport(
        lines, arrays, draw, warnings, "done" if finite else "no finite result: check the values", 0 if finite else 4
    )


class _Ratio(NamedTuple):
    """A Haven ratio at some temperatures, NaN where a line without a fit has no point."""

    named: str
    temperature: np.ndarray
    value: np.ndarray
    error: np.ndarray
    measured: dict[str, np.ndarray]
    """Temperatures of the points of both lines, of those that have some [K]."""

    @classmethod
    def of(cls, pair: HavenTable, fits: dict[str, ArrheniusFit], points: _PointsOf) -> "_Ratio":
        """Of two lines by their names."""
        at, names = np.asarray(pair.temperature_K), (pair.tracer, pair.conductivity)
        found = [_at(name, at, fits, points) for name in names]
        known = np.all([np.isfinite(one.value) for one in found], axis=0)
        value, error = np.full((2, len(at)), np.nan)
        if np.any(known):
            value[known], error[known] = haven_ratio(*(Uncertain(one.value[known], one.sigma[known]) for one in found))
        measured = {name: points[name][0] for name in names if name in points}
        return cls(f"Haven ratio, {pair.tracer} over {pair.conductivity}", at, value, error, measured)

    def arrays(self, k: int) -> dict[str, Array]:
        """What is stored of the k-th ratio."""
        axis = f"haven{k + 1}_temperature"
        return {
            axis: Array(self.temperature, "K", "temperature", (axis,)),
            f"haven{k + 1}": Array(self.value, "1", self.named, (axis,)),
            f"haven{k + 1}_error": Array(self.error, "1", f"standard error of it, {self.named}", (axis,)),
        }

    def lines(self, scattered: set[str]) -> Iterator[str]:
        """The ratio at each temperature; what its error is where lines have that of their scatter."""
        for T, value, error in zip(self.temperature, self.value, self.error, strict=True):
            known = f" ± {error:.2g}" if np.isfinite(error) else " (error not known)"
            yield f"{self.named}, at {T:g} K: {f'{value:.4g}{known}' if np.isfinite(value) else 'not known'}"
        few = [f"{name} of {len(at)}" for name, at in self.measured.items() if name in scattered]
        if few and np.any(np.isfinite(self.error)):
            yield f"{self.named}: ± is a standard error, by the scatter of points ({', '.join(few)})"

    def warnings(self) -> Iterator[str]:
        """What is extrapolated, above one, or not known."""
        ends = [(at.min(), at.max()) for at in self.measured.values()]
        for T in self.temperature[np.isfinite(self.value)]:
            if any(not low - _SAME_K <= T <= high + _SAME_K for low, high in ends):
                yield f"{self.named}, at {T:g} K: beyond the temperatures that were measured."
        if np.any(self.value > 1.0 + 3.0 * np.nan_to_num(self.error)):
            yield f"{self.named}: a ratio above one; are number density and charge those of the mobile ions?"
        if not np.all(np.isfinite(self.value)):
            yield f"{self.named}: a line without a fit has a value only at its own temperatures."


def _law_arrays(k: int, name: str, temperature: np.ndarray, fit: ArrheniusFit) -> dict[str, Array]:
    """A line, and temperatures [K] between which it is drawn, for the result file."""
    axis, head = f"line{k + 1}_temperature", f"line{k + 1}_"
    return {
        axis: Array(temperature, "K", f"temperature, {name}", (axis,)),
        f"{head}log_prefactor": Array(np.asarray(fit.log_prefactor), "1", f"ln of D₀ in m2 s-1, {name}"),
        f"{head}energy": Array(np.asarray(fit.energy), "eV", f"activation energy, {name}"),
    }


def _points(line: LineTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Temperatures [K], D [m²/s] and relative errors; those are NaN where none are given."""
    temperature = np.asarray(line.temperature_K)
    direct = line.D_m2_s or line.D_cait_m2_s
    if direct is not None:
        D = np.asarray(direct)
    else:
        D = np.asarray(
            nernst_einstein(
                np.asarray(line.conductivity_S_m),
                line.number_density_m3 or np.nan,
                temperature,
                charge_number=line.charge,
            )
        )
    given = np.nan if line.relative_error is None else line.relative_error
    return temperature, D, np.broadcast_to(np.asarray(given, float), D.shape)


def _law(line: LineTable) -> ArrheniusFit:
    """A published law, of which the errors are not known."""
    return ArrheniusFit(
        jnp.log(jnp.asarray(line.prefactor_m2_s)),
        jnp.asarray(line.energy_eV),
        jnp.full((2, 2), jnp.nan),
        jnp.asarray(0.0),
        0,
    )


def _told(value: float) -> str:
    """A number whose error is not known, with its power of ten."""
    (digits,), power = together((value,))
    return with_power(digits.rstrip("0").rstrip(".") if "." in digits else digits, power)


def _fit_lines(name: str, fit: ArrheniusFit, quantile: float) -> list[Line]:
    error = np.sqrt(np.diag(np.asarray(fit.covariance)))
    if not np.all(np.isfinite(error)):
        prefactor = _told(math.exp(float(fit.log_prefactor)))
        return [f"{name}: D₀ {prefactor} m²/s, E_a {float(fit.energy):.4f} eV, errors not known"]
    return [
        logarithmic_row("D₀", float(fit.log_prefactor), float(error[0]), "m²/s", group=name, quantile=quantile),
        linear_row("E_a", float(fit.energy), float(error[1]), "eV", group=name, quantile=quantile),
    ]


def _at(
    name: str,
    temperature: np.ndarray,
    fits: dict[str, ArrheniusFit],
    points: _PointsOf,
) -> Uncertain:
    """D of a line at temperatures [K]: of its fit, or the mean of ln D of its points there; else NaN."""
    if name in fits:
        return fits[name].at(jnp.asarray(temperature))
    known, D, relative = points[name]
    same = np.abs(known - temperature[:, None]) <= _SAME_K
    with_errors = bool(np.all(np.isfinite(relative)))
    weight = same / relative**2 if with_errors else 1.0 * same
    total = np.where(same.any(axis=1), weight.sum(axis=1), np.nan)
    value = np.exp(weight @ np.log(D) / total)
    return Uncertain(jnp.asarray(value), jnp.asarray(value / np.sqrt(total) if with_errors else value * np.nan))
