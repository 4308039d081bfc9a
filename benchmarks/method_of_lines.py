"""Electroneutral Nernst–Planck equations on a fixed mesh by the method of lines: an independent judge.

It reads an experiment file and shares no code with the library: the laws of D are NumPy and SciPy, the mesh stands
still, and LSODA integrates with steps of its own choice. The fluxes are those of Scharfetter and Gummel (IEEE Trans.
Electron Devices 16 (1969) 64), exact for a field and a D that are constant between two points.

Covered are any number of ions with constant D or a site energy distribution (Gaussian, mixture, table; sharp or
Fermi–Dirac), beams at a current, a ramp or a potential, reservoirs with and without an exchange rate, and rests.
"""

import functools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import constants, integrate, stats

NM = 1e-9
BOLTZMANN_EV = constants.k / constants.e
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
FLOOR = 1e-6
TRACE = 1e-12

Law = Callable[[np.ndarray], np.ndarray]

try:
    from numba import njit

    compiled = njit(cache=True)
except ImportError:

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        """Without numba the same lines run in NumPy, some ten times slower."""
        return function


class Profiles(NamedTuple):
    """What has been found."""

    times: np.ndarray
    """Outputs [s]."""
    depth: np.ndarray
    """Middles of the cells [nm]."""
    fraction: np.ndarray
    """Shape [output, species, cell]."""
    names: list[str]
    """Species."""


class NotCovered(Exception):
    """The experiment has an option that the judge does not know, or the integration failed."""


def law_of(table: dict[str, Any], bulk: float, density: float, charge: int, temperature: float) -> Law:
    """C ↦ D [nm²/s] of one species.

    Parameters
    ----------
    table
        Its table `diffusivity`.
    bulk
        Its fraction in the bulk.
    density
        Ions of the bulk. [1/m³]
    charge
        Charge number.
    temperature
        [K]
    """
    kt = BOLTZMANN_EV * temperature
    reference = table.get("reference_temperature_K", temperature)
    rise = table.get("activation_energy_eV", 0.0) / BOLTZMANN_EV * (1.0 / reference - 1.0 / temperature)
    if "conductivity_S_m" in table:
        level = table["conductivity_S_m"] * constants.k * reference / (density * bulk * (charge * constants.e) ** 2)
    else:
        level = table["D_m2_s"] if table["law"] == "constant" else table["D_bulk_m2_s"]
    level *= np.exp(rise) / NM**2
    if table["law"] == "constant":
        return lambda c: np.full_like(c, level)
    vacant = table["vacancy_fraction"]
    immobile = table.get("immobile_fraction", 0.0)
    energy = _fermi_energy(table, kt)
    at_bulk = energy(np.array([1.0 - vacant]))[0]

    def law(c: np.ndarray) -> np.ndarray:
        x = c if table.get("populations") == "intermixed" else c / (bulk or 1.0)
        filled = (1.0 - vacant) * (x - immobile) / (1.0 - immobile)
        filled = np.clip(filled, (1.0 - vacant) * FLOOR, max(1.0 - vacant, 1.0 - 1e-5))
        return level * np.exp((energy(filled) - at_bulk) / kt)

    return law


def _fermi_energy(table: dict[str, Any], kt: float) -> Law:
    """Occupied fraction ↦ Fermi energy [eV]."""
    distribution = table.get("sed", {"kind": "gaussian", "fwhm_eV": table.get("sed_fwhm_eV")})
    kind = distribution["kind"]
    sharp = table.get("filling", "sharp") == "sharp"
    if kind == "table":
        z = stats.norm.ppf(distribution["occupied"])
        energies = np.asarray(distribution["energy_eV"])

        def quantile(p: np.ndarray) -> np.ndarray:
            return _beyond(stats.norm.ppf(p), z, energies)

        def below(energy: np.ndarray) -> np.ndarray:
            return stats.norm.cdf(_beyond(energy, energies, z))
    else:
        centres = np.atleast_1d(distribution.get("energy_eV", 0.0))
        sigmas = np.atleast_1d(distribution["fwhm_eV"]) / FWHM_PER_SIGMA
        shares = np.atleast_1d(distribution.get("weight", 1.0))
        shares = shares / shares.sum()

        def below(energy: np.ndarray) -> np.ndarray:
            return sum(w * stats.norm.cdf((energy - e) / s) for w, e, s in zip(shares, centres, sigmas, strict=True))

        quantile = _inverse(below, centres.min() - 8 * sigmas.max(), centres.max() + 8 * sigmas.max(), kt)
    if sharp:
        return quantile
    edges = quantile(np.array([1e-13, 1.0 - 1e-13]))
    grid = np.linspace(edges[0] - 2 * kt, edges[1] + 2 * kt, 20001)
    weight = np.diff(below(grid))
    middle = 0.5 * (grid[1:] + grid[:-1])

    def filled(energy: np.ndarray) -> np.ndarray:
        return np.array([weight @ (1.0 / (1.0 + np.exp(np.clip((middle - e) / kt, -700, 700)))) for e in energy])

    return _inverse(filled, edges[0] - 25 * kt, edges[1] + 25 * kt, kt)


def _inverse(function: Law, low: float, high: float, kt: float) -> Law:
    """Inverse of an increasing function of an energy, through a dense table over the normal quantile."""
    energy = np.linspace(low, high, max(2000, int((high - low) / (0.02 * kt))))
    values = function(energy)
    kept = (values > 1e-14) & (values < 1.0 - 1e-14)
    quantile, first = np.unique(stats.norm.ppf(values[kept]), return_index=True)
    return functools.partial(_at_quantile, quantile=quantile, energy=energy[kept][first])


def _at_quantile(p: np.ndarray, *, quantile: np.ndarray, energy: np.ndarray) -> np.ndarray:
    return _beyond(stats.norm.ppf(p), quantile, energy)


def _beyond(x: np.ndarray, xp: np.ndarray, fp: np.ndarray) -> np.ndarray:
    """Linear interpolation that goes on with the last slope."""
    low = fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0])
    high = fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2])
    return np.where(x < xp[0], low, np.where(x > xp[-1], high, np.interp(x, xp, fp)))


def mesh(reach: float, thickness: float, step: float, growth: float = 1.04) -> np.ndarray:
    """Faces [nm]: even up to `reach`, then growing up to the end of the sample."""
    fine = np.linspace(0.0, reach, max(8, int(np.ceil(reach / step))) + 1)
    widths, total = [], 0.0
    width = fine[1] - fine[0]
    while total < thickness - reach:
        width *= growth
        widths.append(width)
        total += width
    rest = np.cumsum(widths) * (thickness - reach) / total
    return np.concatenate([fine, reach + rest])


class _Stage(NamedTuple):
    """What the rates of a stage depend on; arrays and numbers alone, so that they can be compiled."""

    nodes: np.ndarray
    """Fractions at which the laws are tabulated, shape [species, node]."""
    ln_D: np.ndarray
    """Logarithm of D [nm²/s] there."""
    mixed: np.ndarray
    """Whether the law takes the sum of all fractions."""
    charges: np.ndarray
    dependent: int
    """The species whose fraction follows from neutrality."""
    width: np.ndarray
    distance: np.ndarray
    bulk: np.ndarray
    closed: bool
    surface: np.ndarray
    """Fractions of the reservoir."""
    held: bool
    """Whether the surface has these fractions; otherwise ions come in at the rate or with the beam."""
    rate: float
    """Exchange of surface and reservoir [nm/s]."""
    beam: int
    """Species of the beam, -1 for none."""
    volts: float
    """Potential in units of kT/e, not a number where the current is given."""
    current: np.ndarray
    """Current / (e N) [nm/s] at the begin and the end."""
    duration: float


@compiled
def _bernoulli(x: np.ndarray) -> np.ndarray:
    small = np.abs(x) < 1e-5
    safe = np.where(small, 1.0, x)
    return np.where(small, 1.0 - 0.5 * x, safe / np.expm1(safe))


@compiled
def _rates(time: float, y: np.ndarray, stage: _Stage) -> np.ndarray:
    species, cells = stage.nodes.shape[0], stage.width.shape[0]
    z = stage.charges.copy().reshape(species, 1)
    c = np.zeros((species, cells))
    independent = 0
    for k in range(species):
        if k != stage.dependent:
            c[k] = y[independent :: species - 1]
            independent += 1
    c[stage.dependent] = ((stage.charges * stage.bulk).sum() - (z * c).sum(axis=0)) / stage.charges[stage.dependent]
    # Faces: that of the surface where its fractions are held, those between cells, and the back.
    first = 1 if stage.held else 0
    faces = cells + first
    left, right = np.empty((species, faces)), np.empty((species, faces))
    left[:, first:] = c
    right[:, : faces - 1] = c[:, 1 - first :]
    right[:, faces - 1] = c[:, cells - 1] if stage.closed else stage.bulk
    if stage.held:
        left[:, 0] = stage.surface
    distance = stage.distance[1 - first :]
    middle = 0.5 * (left + right)
    total = middle.sum(axis=0)
    D = np.empty((species, faces))
    for k in range(species):
        D[k] = np.exp(np.interp(total if stage.mixed[k] else middle[k], stage.nodes[k], stage.ln_D[k]))
    slope = (right - left) / distance
    share = z * D * np.maximum(middle, TRACE)
    conductance = (z * share).sum(axis=0)
    diffusion = (z * D * slope).sum(axis=0)
    if np.isnan(stage.volts):
        current = stage.current[0] + (stage.current[1] - stage.current[0]) * time / stage.duration
    else:
        # The field between the surface and the first point is that of the first face.
        length = distance.copy()
        if not stage.held:
            length[0] += stage.distance[0]
        current = (stage.volts - (diffusion / conductance * length).sum()) / (length / conductance).sum()
    drop = np.minimum(np.maximum(z * ((current + diffusion) / conductance * distance), -500.0), 500.0)
    # B(-x) = B(x) + x
    flux = D / distance * (_bernoulli(drop) * (left - right) + drop * left)
    # Neutrality asks for the given current through each face; the last bit of it is the quadrature of the flux.
    flux += share / conductance * (current - (z * flux).sum(axis=0))
    if stage.closed:
        flux[:, faces - 1] = 0.0
    entering = np.zeros(species)
    if stage.held:
        entering[:] = flux[:, 0]
    elif stage.beam >= 0:
        entering[stage.beam] = current / stage.charges[stage.beam]
    else:
        # The surface lies half a cell before the first middle.
        at = c[:, 0] + (c[:, 0] - c[:, 1]) * stage.distance[0] / stage.distance[1]
        entering[:] = stage.rate * (stage.surface - np.maximum(at, 0.0))
    rates = np.empty((cells, species - 1))
    independent = 0
    for k in range(species):
        if k != stage.dependent:
            rates[1:, independent] = flux[k, first : faces - 1] - flux[k, first + 1 :]
            rates[0, independent] = entering[k] - flux[k, first]
            rates[:, independent] /= stage.width
            independent += 1
    return rates.ravel()


def solve(path: Path, *, reach_nm: float, step_nm: float, rtol: float = 1e-6) -> Profiles:
    """Solve the experiment of a file.

    Parameters
    ----------
    path
        The experiment.
    reach_nm
        Depth up to which the mesh is even.
    step_nm
        Width of its cells there.
    rtol
        Relative tolerance of LSODA; the absolute one is a tenth of it.

    Raises
    ------
    NotCovered
        The experiment asks for more than the judge does.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sample, species = table["sample"], table["species"]
    names = [s["name"] for s in species]
    density = sample["bulk_density_m3"]
    bulk = np.array([s["bulk_fraction"] for s in species])
    charges = np.array([s.get("charge", 1) for s in species])
    thickness = sample["thickness_um"] * 1e3
    faces = mesh(reach_nm, thickness, step_nm)
    width = np.diff(faces)
    middle = 0.5 * (faces[1:] + faces[:-1])
    distance = np.concatenate([[0.5 * width[0]], np.diff(middle), [0.5 * width[-1]]])
    c = np.repeat(bulk[:, None], len(width), axis=1)
    found, times, begin = [], [], 0.0
    for stage_table in table["stages"]:
        end = stage_table.get("duration_s", 3600.0 * stage_table.get("duration_h", np.nan))
        if not np.isfinite(end):
            raise NotCovered("a stage that ends by charge")
        stage = _stage(stage_table | {"duration_s": end}, table, density, bulk, charges, width, distance, names)
        outputs = np.asarray(stage_table.get("output_times_s", [end]), float)
        carried = [k for k in range(len(names)) if k != stage.dependent]
        solution = integrate.solve_ivp(
            _rates, (0.0, end), c[carried].T.ravel(), method="LSODA", args=(stage,), t_eval=outputs, rtol=rtol,
            atol=0.1 * rtol, lband=2 * len(carried) - 1, uband=2 * len(carried) - 1, first_step=1e-8 * end,
        )  # fmt: skip
        if not solution.success or solution.y.shape[1] != len(outputs):
            raise NotCovered(f"LSODA stopped: {solution.message}")
        for column in solution.y.T:
            c = np.empty_like(c)
            c[carried] = column.reshape(len(width), -1).T
            rest = charges @ bulk - charges[carried] @ c[carried]
            c[stage.dependent] = rest / charges[stage.dependent]
            found.append(c)
        times.extend(begin + outputs)
        begin += end
    return Profiles(np.asarray(times), middle, np.stack(found), names)


def _stage(
    table: dict[str, Any], whole: dict[str, Any], density: float, bulk: np.ndarray, charges: np.ndarray,
    width: np.ndarray, distance: np.ndarray, names: list[str],
) -> _Stage:  # fmt: skip
    front = table["front"]
    if front not in ("ion-beam", "reservoir", "closed"):
        raise NotCovered(f"front = {front}")
    if front != "closed" and any(s.get("back", "releasing") != "releasing" for s in whole["species"]):
        raise NotCovered("an electrode that holds back some ions")
    temperature = table["temperature_K"]
    laws = [
        law_of(s["diffusivity"], b, density, q, temperature)
        for s, b, q in zip(whole["species"], bulk, charges, strict=True)
    ]
    nodes = np.stack([_nodes(s["diffusivity"], b) for s, b in zip(whole["species"], bulk, strict=True)])
    beam = names.index(table["beam"]) if front == "ion-beam" else -1
    current = table.get("current_density_A_m2", 0.0)
    currents = np.array([current, table.get("current_density_end_A_m2", current)], float)
    return _Stage(
        nodes=nodes,
        ln_D=np.log([law(c) for law, c in zip(laws, nodes, strict=True)]),
        mixed=np.array([s["diffusivity"].get("populations") == "intermixed" for s in whole["species"]]),
        charges=charges.astype(float),
        dependent=beam if beam >= 0 else len(names) - 1,
        width=width,
        distance=distance,
        bulk=bulk.astype(float),
        closed=front == "closed",
        surface=np.array([table.get("reservoir_fraction", {}).get(name, 0.0) for name in names], float),
        held=front == "reservoir" and "exchange_rate_m_s" not in table,
        rate=table.get("exchange_rate_m_s", 0.0) / NM,
        beam=beam,
        volts=table.get("potential_V", np.nan) / (BOLTZMANN_EV * temperature),
        current=currents / (constants.e * density) / NM,
        duration=float(table["duration_s"]),
    )


def _nodes(table: dict[str, Any], bulk: float) -> np.ndarray:
    """Fractions of a table of D, dense where sites of the distribution are nearly empty or nearly full."""
    decades = np.logspace(-7, np.log10(0.5), 4000)
    vacant = table.get("vacancy_fraction", 0.5)
    filled = np.concatenate([[0.0], decades, 1.0 - decades[-2::-1], [1.0]])
    immobile = table.get("immobile_fraction", 0.0)
    share = immobile + (1.0 - immobile) * filled / (1.0 - vacant)
    return share if table.get("populations") == "intermixed" else share * (bulk or 1.0)
