"""The choices by which a SIMS file becomes a profile of fractions, and their check."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from npp_jax.text.names import fault_of_name

METHODS = ("bulk", "uptake", "loss", "sum")
"""Ways to find the scale of a species."""

_LARGE = 0.3
"""Relative standard deviation above which per cent or another unit are likely."""


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """How a file is made a profile of fractions. Depths in nm, times in s."""

    species: Mapping[str, str]
    """Channel of the file by the name of the species."""
    normalise: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Way to the scale by species, `bulk` if not named:
    `bulk`: the mean over `bulk_nm` is one;
    `uptake`: the foreign ion holds the charge passed;
    `loss`: the native ion lacks the charge passed;
    `sum`: the fractions of all species add up to one;
    a number: fraction per ion counted."""
    bulk_nm: tuple[float, float] | None = None
    """Depths of the bulk; the deepest fifth of the profile if not given."""
    crater_depth_nm: float | None = None
    """Depth of the crater at the end."""
    crater_sigma_nm: float = 0.0
    """Standard deviation of it."""
    duration_s: float | None = None
    """Sputter time of the crater, if not that of the file; cycles where the file counts cycles."""
    sputter_rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Relative sputter rate of the glass with one species only, by species; constant rate if empty."""
    reference: str | None = None
    """Channel of the matrix by which all signals are divided, point by point."""
    background: Mapping[str, tuple[float, float] | float] = dataclasses.field(default_factory=dict)
    """Background by species: a range of depths over which it is the mean, or ions a point."""
    close_sum: bool = False
    """Divide the fractions at each depth by their sum: takes out the matrix, leaves no Poisson distribution."""
    surface_nm: float = 0.0
    """Depth above which points are left out, for the sputter equilibrium; integrals take the first point kept there."""
    deepest_nm: float | None = None
    """Depth below which points are left out."""
    charge_mC_cm2: float | None = None
    """Charge passed per area, for `uptake` and `loss`."""
    density_m3: float | None = None
    """Number density of the mobile ions of the bulk, for `uptake` and `loss`."""
    dwell_s: float | None = None
    """Counting time of a point, of rates; it goes before what the file tells."""
    as_counts: bool = False
    """Take signals whose unit is not known for counted ions."""
    sigma_relative: float = 0.0
    """Relative standard deviation of a point beside counting (yield, beam current), added in quadrature."""
    trust_counting: bool = False
    """Keep the statistics of counting even where the scatter of the signal is not that of counting, or a counter
    stands at its ceiling."""


def bulk_range(depth: Float[np.ndarray, "point"], options: ImportOptions) -> tuple[float, float]:
    """Depths of the bulk: as given, or the deepest fifth [nm]."""
    return options.bulk_nm or (float(depth[0] + 0.8 * (depth[-1] - depth[0])), float(depth[-1]))


def scale_factor(method: str) -> float | None:
    """Fraction per ion if a method is a positive number, else None."""
    try:
        factor = float(method)
    except ValueError:
        return None
    return factor if 0.0 < factor < math.inf else None


def check_options(options: ImportOptions) -> tuple[str, ...]:
    """Refuse choices that do not fit one another; return a line for each that looks like a wrong unit.

    Raises
    ------
    ValueError
        In one line: option, value, what is allowed.
    """
    names = list(options.species)
    if not names:
        raise ValueError("species: none given; name at least one, such as K=39K+")
    for name in names:
        fault = fault_of_name(name)
        if fault is not None:
            raise ValueError(f"species {name!r}: {fault}")
    for name, channel in options.species.items():
        same = next(other for other in names if options.species[other] == channel)
        if same != name:
            raise ValueError(f"species: {same} and {name} are both of the channel {channel}; one channel is one ion")
    for field in ("normalise", "background", "sputter_rates"):
        unknown = [name for name in getattr(options, field) if name not in names]
        if unknown:
            raise ValueError(f"{field}: {unknown[0]!r} is no species; {', '.join(names)} are")
    for name, method in options.normalise.items():
        if method not in METHODS and scale_factor(method) is None:
            allowed = ", ".join(METHODS)
            raise ValueError(
                f"normalise: {name}={method}; {allowed} or a positive number of fractions per ion are allowed"
            )
    for field in ("crater_depth_nm", "duration_s", "deepest_nm", "charge_mC_cm2", "density_m3", "dwell_s"):
        value = getattr(options, field)
        if value is not None and not 0.0 < value < math.inf:
            raise ValueError(f"{field}: {value:g}; a positive number is needed")
    for field in ("crater_sigma_nm", "surface_nm", "sigma_relative"):
        value = getattr(options, field)
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{field}: {value:g}; zero or a positive number is needed")
    levels = {f"background of {k}": v for k, v in options.background.items()}
    for field, value in {"bulk_nm": options.bulk_nm, **levels}.items():
        if isinstance(value, tuple) and not 0.0 <= value[0] < value[1] < math.inf:
            raise ValueError(f"{field}: {value[0]:g}:{value[1]:g}; two increasing depths in nm are needed")
        if isinstance(value, float | int) and not 0.0 <= value < math.inf:
            raise ValueError(f"{field}: {value:g}; zero or a positive number of ions a point is needed")
    for name in names if options.sputter_rates else ():
        value = options.sputter_rates.get(name)
        if value is None or not 0.0 < value < math.inf:
            said = "none" if value is None else f"{value:g}"
            raise ValueError(f"sputter_rates: {said} for {name}; each of {', '.join(names)} needs a positive number")
    if options.close_sum and len(names) < 2:
        raise ValueError("close_sum: at least two species are needed")
    charged = [f"{name}={m}" for name, m in options.normalise.items() if m in {"uptake", "loss"}]
    for method in ("uptake", "loss"):
        several = [name for name, m in options.normalise.items() if m == method]
        if len(several) > 1:
            raise ValueError(
                f"normalise: {method} of {' and of '.join(several)}; one charge is the {method} of one ion, which is "
                f"named, as {several[-1]}={method}; bulk or sum are for the others"
            )
    if charged and (options.charge_mC_cm2 is None or options.density_m3 is None):
        raise ValueError(f"normalise: {charged[0]} needs charge_mC_cm2 and density_m3")
    return _odd_units(options)


def _odd_units(options: ImportOptions) -> tuple[str, ...]:
    """Values far from those of glasses and craters."""
    usual = {
        "crater_depth_nm": (5.0, 1e5),
        "density_m3": (1e26, 2e29),
        "charge_mC_cm2": (1e-2, 1e6),
        "sigma_relative": (0.0, _LARGE),
    }
    found = [
        f"{field} is {value:g}: is its unit right? usual are {low:g} to {high:g}"
        for field, (low, high) in usual.items()
        if (value := getattr(options, field)) is not None and not low <= value <= high
    ]
    depth, sigma = options.crater_depth_nm, options.crater_sigma_nm
    if depth is not None and sigma > _LARGE * depth:
        found.append(f"crater_sigma_nm is {sigma:g} of a crater of {depth:g} nm: is its unit right?")
    return tuple(found)
