"""The numbers of Hasegawa et al., J. Mater. Chem. A 12 (2024) 731, beside values recomputed from one another.

Run it from anywhere: python benchmarks/llto_statements.py [--save]. Units are those of the paper, cm and s; the
functions of npp_jax.tracer take m and s. Some exponents of the text could not be read and follow from the other
numbers: compare the printed article.
"""

import argparse
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
from record import save

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.inference import Uncertain
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity
from npp_jax.tracer.boundaries import (
    boundary_permeability,
    chain_of_grains,
    permeability_from_series,
    series_diffusivity,
)
from npp_jax.tracer.closed_forms import plate_constant_surface
from npp_jax.tracer.diffusion import DiffusionStage, SurfaceExchange, diffuse
from npp_jax.tracer.evolution import evolve_exchange_profile
from npp_jax.tracer.transport import diffusion_length, fit_arrhenius

CM, CM2 = 1e-2, 1e-4
"""Centimetre [m] and square centimetre [m²]."""

HOUR, DAY = 3600.0, 86400.0
ROOM, HOT, COLD = 295.15, 473.15, 163.15
"""22 °C, 200 °C and -110 °C [K]."""

D_NMR, D_NMR_IN_SERIES = 2.6e-8, 2.8e-8
SIZE, SIZE_ERROR, DELTA = 16e-4, 11e-4, 0.5e-7
"""Grain size and its spread, thickness of a boundary [cm]."""

D_EXCHANGE, D_STORAGE, D_HOT, D_COLD = 8.0e-9, 3.0e-9, 6.6e-7, 1e-14
D_GB_MEAN, D_GB_HEADLINE, PERMEABILITY_IN_SERIES = 6.8e-14, 1.4e-13, 2.8e-6
PREFACTOR_TRACER, PREFACTOR_SIGMA, ENERGY = 0.048, 0.20, 0.43
LITHIUM = 5.0e21

ROWS: list[dict[str, str]] = []
"""Rows of the table, in the order of printing."""


def row(statement: str, computed: str, verdict: str) -> None:
    ROWS.append({"statement": statement, "computed": computed, "remark": verdict})
    columns = [textwrap.wrap(text, width) for text, width in ((statement, 46), (computed, 54), (verdict, 38))]
    for k in range(max(map(len, columns))):
        cells = [column[k] if k < len(column) else "" for column in columns]
        print(f"{cells[0]:<48}{cells[1]:<56}{cells[2]}".rstrip())
    print()


def verdict(computed: float, printed: float, tolerance: float) -> str:
    """`met` within a relative tolerance, else the factor."""
    ratio = computed / printed
    return "met" if abs(ratio - 1.0) <= tolerance else f"NOT met: factor {ratio:.2f}"


def _within(computed: float, printed: float, error: float) -> str:
    """`met` as printed, or within the error that the paper gives."""
    close = verdict(computed, printed, 0.05)
    inside = abs(computed - printed) <= error
    return close if close == "met" or not inside else f"met within ± {error:.1e}, factor {computed / printed:.2f}"


def against(value: float, other: float, tolerance: float) -> str:
    """Whether two printed values agree within a relative tolerance, else their ratio."""
    agrees = abs(value / other - 1.0) <= tolerance
    return f"{'agrees' if agrees else 'INCONSISTENT'} with {other:.1e}: ratio {value / other:.2f}"


def exact(value: float) -> Uncertain:
    return Uncertain(jnp.asarray(value), jnp.asarray(0.0))


def permeability(gradient: float, step: float) -> float:
    """D_gb/δ [cm/s] of a gradient [1/cm] and a step, eqn (3)."""
    found = boundary_permeability(exact(gradient / CM), exact(step), exact(D_NMR * CM2))
    return float(found.value) / CM


def series(permeability: float, size: float = SIZE, D: float = D_NMR_IN_SERIES) -> float:
    """D_eff [cm²/s] of eqn (6)."""
    return float(series_diffusivity(D * CM2, permeability * CM, size * CM)) / CM2


def series_error(permeability: float) -> float:
    """Error of D_eff from that of the grain size, first order [cm²/s]."""
    return SIZE_ERROR * float(jax.grad(lambda size: series_diffusivity(D_NMR_IN_SERIES, permeability, size))(SIZE))


def energy(low: tuple[float, float], high: tuple[float, float]) -> float:
    """Activation energy [eV] between two (T, D)."""
    fit = fit_arrhenius(jnp.asarray([low[0], high[0]]), jnp.asarray([low[1], high[1]]), jnp.asarray(0.1))
    return float(fit.energy)


def bulk() -> None:
    sigma = float(nernst_einstein_conductivity(D_NMR * CM2, LITHIUM / CM**3, ROOM)) * CM
    row(
        "D_NMR,bulk 2.6e-8 cm²/s at 22 °C; σ about 1e-3 S/cm at 27 °C; H_R = 1 in the bulk",
        f"Nernst–Einstein: σ = {sigma:.2e} S/cm",
        verdict(float(f"{sigma:.0e}"), 1e-3, 0.25) + ", σ having one digit",
    )
    row(
        "D_NMR,bulk 2.8e-8 cm²/s in the text of eqn (6)",
        f"D_eff changes by {100 * (series(1.5e-6) / series(1.5e-6, D=D_NMR) - 1):.2f} % only",
        f"ratio {D_NMR_IN_SERIES / D_NMR:.2f}; the temperature of eqn (6) could not be read; without consequence",
    )
    per_cell = LITHIUM * (3.87e-8) ** 3
    row(
        "n_Li = 5.0e21 cm⁻³",
        f"{per_cell:.2f} per perovskite cell of 3.87 Å",
        verdict(per_cell, 0.29, 0.03) + " (Li0.29)",
    )


def steps() -> None:
    for name, gradient, step, printed, digits in (
        ("59 h of exchange: ∂C/∂y 1.1 cm⁻¹, ΔC 0.02", 1.1, 0.02, 7.6e-14, (0.05, 0.005)),
        ("16 d later: ∂C/∂y 0.65 cm⁻¹, ΔC 0.009", 0.65, 0.009, 9.2e-14, (0.005, 0.0005)),
    ):
        found = permeability(gradient, step)
        low = permeability(gradient - digits[0], step + digits[1]) * DELTA
        high = permeability(gradient + digits[0], step - digits[1]) * DELTA
        sides = "met within the rounding of the input" if low <= printed <= high else "NOT met"
        row(
            f"{name}: D_gb {printed:.1e} cm²/s (δ 0.5 nm)" + ("; D_gb/δ 1.5e-6 cm/s" if step == 0.02 else ""),
            f"D_gb/δ = {found:.2e} cm/s, D_gb = {found * DELTA:.2e}, {low:.1e} to {high:.1e} for rounded input; "
            f"D_NMR/D_gb = {D_NMR / (found * DELTA):.1e}",
            sides,
        )
    given = [permeability(*pair) * DELTA for pair in ((1.1, 0.02), (0.65, 0.009))]
    row(
        "All boundaries: D_gb 2.6e-14 to 1.5e-13, mean 6.8e-14 cm²/s",
        f"the two given steps: {given[0]:.2e}, {given[1]:.2e}; D_gb/δ of the mean {D_GB_MEAN / DELTA:.2e} cm/s",
        ("met: both lie in the range" if 2.6e-14 < min(given) < max(given) < 1.5e-13 else "NOT met")
        + "; the single values are in the ESI",
    )
    row(
        "D_gb 1.4e-13 cm²/s (abstract: 25 °C, conclusions: 22 °C)",
        f"over the mean {D_GB_HEADLINE / D_GB_MEAN:.2f}; the mean with δ = 1 nm, not 0.5 nm: {2 * D_GB_MEAN:.2e}; "
        f"3 K at 0.43 eV: factor {np.exp(ENERGY / BOLTZMANN_EV * (1 / ROOM - 1 / 298.15)):.2f}",
        against(D_GB_HEADLINE, D_GB_MEAN, 0.2) + "; " + against(D_GB_HEADLINE, 7.6e-14, 0.2) + "; near a factor of two",
    )
    row(
        "D_gb/δ 2.8e-6 cm/s in eqn (6)",
        f"1.4e-13/0.5 nm = {D_GB_HEADLINE / DELTA:.2e}; mean of the map {D_GB_MEAN / DELTA:.2e}",
        against(PERMEABILITY_IN_SERIES, 1.5e-6, 0.1) + " of Fig. 3; near a factor of two",
    )
    for name, gradient, step in (("59 h", 1.1, 0.02), ("16 d", 0.65, 0.009)):
        # Rise across one grain and one boundary; the flux is D_NMR times the gradient in the grain.
        rise = step + SIZE * gradient
        row(
            f"(not in the paper) D_eff from the map itself, {name}",
            f"ΔC + l ∂C/∂y = {rise:.4f} a grain, mean gradient {rise / SIZE:.1f} cm⁻¹: D_eff = "
            f"{D_NMR * gradient * SIZE / rise:.1e} cm²/s",
            f"direct measurement 3.0e-9: factor {D_STORAGE / (D_NMR * gradient * SIZE / rise):.2f}",
        )


def effective() -> None:
    for given, source in (
        (PERMEABILITY_IN_SERIES, "as printed"),
        (7.6e-14 / DELTA, "Fig. 3, 59 h"),
        (D_GB_MEAN / DELTA, "mean of the map"),
    ):
        value = series(given)
        row(
            ("" if source == "as printed" else "(not in the paper) ")
            + f"Eqn (6): D_eff 2.3 ± 1.4e-9 cm²/s; with D_gb/δ = {given:.2e} cm/s ({source})",
            f"{value:.2e} ± {series_error(given):.1e}",
            _within(value, 2.3e-9, 1.4e-9),
        )
    needed = float(permeability_from_series(2.3e-9 * CM2, D_NMR_IN_SERIES * CM2, SIZE * CM)) / CM
    row(
        "(not in the paper) D_gb/δ that gives 2.3e-9",
        f"{needed:.2e} cm/s",
        f"{needed / (7.6e-14 / DELTA):.2f} of Fig. 3",
    )
    stored = float(permeability_from_series(D_STORAGE * CM2, D_NMR * CM2, SIZE * CM)) / CM
    row(
        "D_eff 3.0e-9 cm²/s from storage at 22 °C",
        f"implies D_gb/δ = {stored:.2e} cm/s, D_gb = {stored * DELTA:.2e} cm²/s",
        f"{stored / (D_GB_MEAN / DELTA):.1f} times the mean of the map",
    )
    simulated = chain()
    row(
        "(not in the paper) explicit chain of grains",
        f"32 grains, D_gb/δ 1.52e-6: simulated {simulated:.3e} cm²/s; eqn (6) {series(1.52e-6, D=D_NMR):.3e}",
        verdict(simulated, series(1.52e-6, D=D_NMR), 0.01),
    )


def chain(grains: int = 32, given: float = 1.52e-6) -> float:
    """D_eff [cm²/s] from what an explicit chain takes up."""
    size = SIZE * CM
    medium = chain_of_grains(np.full(grains, size), given * CM, D_NMR * CM2, cells=4)
    t = 0.1 * (grains * size) ** 2 / (series(given, D=D_NMR) * CM2)
    stage = DiffusionStage(t, left=SurfaceExchange(1.0, 2.0 * given * CM))
    taken = jax.jit(diffuse)(medium, jnp.zeros(4 * grains), [stage]).entered_left[0]
    return float(np.pi / 4.0 * taken**2 / t) / CM2


def profiles() -> None:
    reach = 2.0 * np.sqrt(D_EXCHANGE * 110 * HOUR)
    row(
        "Exchange for 110 h: D_eff 8.0e-9 cm²/s from eqn (4)",
        f"2√(Dt) = {10 * reach:.2f} mm; {D_EXCHANGE / D_STORAGE:.1f} times the value from storage",
        "overestimated by meniscus and level of the liquid, as the paper says",
    )
    x = jnp.linspace(0.0, 0.025 * CM, 2001)
    left = [
        1.0 - float(jnp.mean(plate_constant_surface(x, 110 * HOUR, D * CM2, 0.025 * CM)))
        for D in (D_STORAGE, D_EXCHANGE)
    ]
    row(
        "C is constant in the immersed part after 110 h",
        f"left of the old lithium in 0.5 mm exchanged from both faces: {100 * left[0]:.2f} % (D 3.0e-9), "
        f"{100 * left[1]:.4f} % (8.0e-9)",
        "met" if max(left) < 0.01 else "NOT met",
    )
    at = jnp.asarray([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]) * 1e-3
    for name, hours, area in (
        ("110 h (8.0e-9), 2 weeks at 3.0e-9", 110, 14 * DAY * D_STORAGE),
        ("110 h (8.0e-9), 6 weeks at 3.0e-9", 110, 42 * DAY * D_STORAGE),
        ("63 h (8.0e-9 assumed), 3.8 h at 6.6e-7", 63, 3.8 * HOUR * D_HOT),
    ):
        fraction = jax.jit(evolve_exchange_profile)(at, hours * HOUR * D_EXCHANGE * CM2, jnp.asarray([area * CM2]))[0]
        row(
            f"Fig. 4: {name}",
            "(C - C₀)/(C₁ - C₀) at -1, -0.5, 0, 0.5, 1, 2, 3, 4 mm: " + " ".join(f"{float(c):.4f}" for c in fraction),
            "curves of the paper; the numbers are not printed there",
        )
    widths = ", ".join(f"{20 * np.sqrt(D * 3.8 * HOUR):.2g} mm for {D:.1e}" for D in (6.6e-6, D_HOT, 6.6e-8))
    row(
        "D_eff 6.6e-7 cm²/s at 200 °C (exponent unreadable)",
        f"2√(Dt) after 3.8 h: {widths}; before {20 * np.sqrt(63 * HOUR * D_EXCHANGE):.2g} mm",
        "only e-7 widens the profile and stays inside the 7 mm that Fig. 4 shows (the samples have 10 mm)",
    )


def temperatures() -> None:
    length = 1e4 * float(diffusion_length(D_COLD, 5 * HOUR))
    row(
        "D_eff 1e-14 cm²/s at -110 °C: 0.2 µm in 5 h",
        f"√(2Dt) = {length:.2f} µm; {energy((COLD, D_COLD), (ROOM, D_STORAGE)):.2f} eV between -110 and 22 °C",
        verdict(length, 0.2, 0.1),
    )
    row(
        "(not in the paper) activation energy of D_eff",
        f"22 to 200 °C: {energy((ROOM, D_STORAGE), (HOT, D_HOT)):.3f} eV",
        "below 0.43 eV: the bulk takes over at high temperature",
    )
    ratio = PREFACTOR_TRACER / PREFACTOR_SIGMA
    row("H_R = 0.24 at the boundaries", f"0.048/0.20 = {ratio:.2f}", verdict(ratio, 0.24, 0.005))
    scaled = lambda T: PREFACTOR_TRACER * np.exp(-ENERGY / (BOLTZMANN_EV * T))  # noqa: E731
    D_gb = scaled(ROOM) * DELTA / SIZE
    row(
        "(l/δ)D_gb = 0.048 exp(-0.43 eV/kT) cm²/s",
        f"22 °C: {scaled(ROOM):.2e}, so D_gb = {D_gb:.2e} and D_eff = {series(D_gb / DELTA, D=D_NMR):.1e}; "
        f"200 °C: {scaled(HOT):.2e}, with D_eff 6.6e-7 leaving D_bulk = {1 / (1 / D_HOT - 1 / scaled(HOT)):.1e}",
        f"{verdict(D_gb, D_GB_MEAN, 0.01)}, with the mean 6.8e-14; {D_gb / D_GB_HEADLINE:.2f} of 1.4e-13",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/llto_statements.json")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(f"{'statement':<48}{'computed':<56}remark\n{'-' * 142}")
    bulk()
    steps()
    effective()
    profiles()
    temperatures()
    if options.save:
        save("llto_statements", {"rows": ROWS})


if __name__ == "__main__":
    main()
