"""Tables of the laws of D in an experiment file: keys with units, ranges, and what belongs together."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files.errors import ConfigTable
from npp_jax.files.limits import within
from npp_jax.physics import keys


class SEDTable(ConfigTable):
    """Distribution of site energies other than one Gaussian."""

    kind: Literal["mixture", "table"]
    """Sum of Gaussians, or a table of the occupied fraction."""
    energy_eV: list[float] = Field(min_length=1)
    """Energies: centres of the Gaussians, or of the table, increasing."""
    fwhm_eV: list[Annotated[float, within(keys.LISTS["sed_fwhm_eV"])]] | None = None
    """Full widths at half maximum of the Gaussians."""
    weight: list[Annotated[float, within(keys.LISTS["sed_weight"])]] | None = None
    """Relative weights of the Gaussians."""
    occupied: list[Annotated[float, Field(gt=0.0, lt=1.0)]] | None = None
    """Fraction of the sites below each energy of the table, increasing."""

    @model_validator(mode="after")
    def _columns(self) -> "SEDTable":
        columns = {"mixture": ("fwhm_eV", "weight"), "table": ("occupied",)}[self.kind]
        for name in ("fwhm_eV", "weight", "occupied"):
            values = getattr(self, name)
            if (values is not None) != (name in columns):
                raise ValueError(f"kind = '{self.kind}' takes the columns energy_eV, {', '.join(columns)}")
            if values is not None and len(values) != len(self.energy_eV):
                raise ValueError(f"{name} must have as many entries as energy_eV ({len(self.energy_eV)})")
        if self.kind == "table":
            for name in ("energy_eV", "occupied"):
                values = getattr(self, name)
                if len(values) < 4 or any(a >= b for a, b in itertools.pairwise(values)):
                    raise ValueError(f"{name} must increase and have at least 4 entries")
        return self


class DiffusivityTable(ConfigTable):
    """[species.diffusivity]."""

    law: Literal["constant", "sed", "exponential", "polynomial", "spline", "table", "mutual"]
    """`constant`; `sed`: D falls as the sites of a distribution of energies are emptied; `exponential` or `polynomial`:
    ln D is one of the fraction; `spline` or `table`: ln D is a curve through knots; `mutual`: that of a partner."""
    D_m2_s: Annotated[float, within(keys.ION["D_m2_s"])] | None = None
    """D of the constant law, or of a polynomial at x₀; at the reference temperature if it is activated."""
    ln_D_coefficient: list[float] | None = Field(default=None, min_length=1, max_length=12)
    """a₁, a₂, … of ln D = ln D_m2_s + a₁(x - x₀) + a₂(x - x₀)² + …; an exponential has one."""
    reference_fraction: Annotated[float, within(keys.ION["bulk_fraction"])] = 0.0
    """x₀, the fraction at which D_m2_s holds."""
    knot_fraction: list[float] | None = Field(default=None, min_length=2, max_length=1000)
    """Fractions of the knots of a spline, increasing; beyond them D stays that of the last."""
    knot_D_m2_s: list[Annotated[float, within(keys.LISTS["knot_D_m2_s"])]] | None = None
    """D at the knots."""
    curve: Literal["monotone", "free"] = "monotone"
    """Between knots: D within that of its neighbours, or a smooth curve that may swing beyond."""
    table: str | None = None
    """Table of fractions and D, beside the file."""
    partner: str | None = None
    """Ion of the same charge whose law this one has as well: D(c) of both is one, and no field arises."""
    fraction_of: str | None = None
    """Ion over whose fraction D is told; the ion itself, if not given."""
    D_bulk_m2_s: Annotated[float, within(keys.ION["D_bulk_m2_s"])] | None = None
    """D in the bulk, of the law `sed`; or give the conductivity."""
    conductivity_S_m: Annotated[float, within(keys.ION["conductivity_S_m"])] | None = None
    """Conductivity of the bulk at the reference temperature, or that of the first stage; D follows from it."""
    sed_fwhm_eV: Annotated[float, within(keys.ION["sed_fwhm_eV"])] | None = None
    """Full width at half maximum of a Gaussian distribution of site energies."""
    sed: SEDTable | None = None
    """Another distribution, [species.diffusivity.sed]."""
    vacancy_fraction: Annotated[float, within(keys.ION["vacancy_fraction"])] | None = None
    """Share of the sites that is empty in the bulk."""
    immobile_fraction: Annotated[float, within(keys.ION["immobile_fraction"])] = 0.0
    """Share of the ions that never moves."""
    filling: Literal["sharp", "fermi-dirac"] = "sharp"
    """Occupation of the sites: a sharp edge, or that of Fermi and Dirac at the temperature of the stage."""
    populations: Literal["separate", "intermixed"] = "separate"
    """Whether the ion fills the sites alone, or all ions do together."""
    mixing_time_s: Annotated[float, within(keys.ION["mixing_time_s"])] | None = None
    """Time in which intermixed populations become so, from separate ones at the start; not given: at once."""
    diffusion_term: Literal["ideal", "thermodynamic"] = "ideal"
    """What drives diffusion: the gradient of the density, or, `thermodynamic`, that of the Fermi energy."""
    averaging: Literal["middle", "integral"] = "middle"
    """D between two cells: that of their middle, or its mean from one to the other, for a foreign ion of this law."""
    activation_energy_eV: Annotated[float, within(keys.ION["activation_energy_eV"])] | None = None
    """Arrhenius activation beside the distribution; goes with reference_temperature_K."""
    reference_temperature_K: Annotated[float, within(keys.STAGE["temperature_K"])] | None = None
    """Temperature at which D or the conductivity is given."""

    @model_validator(mode="after")
    def _complete(self) -> "DiffusivityTable":
        if (self.activation_energy_eV is None) != (self.reference_temperature_K is None):
            raise ValueError("activation_energy_eV and reference_temperature_K go together")
        needed, more = _KEYS[self.law]
        given = {name for name in self.model_fields_set if getattr(self, name) is not None} - {"law"}
        extra = sorted(given - needed - more - (set() if self.law == "mutual" else _COMMON))
        if self.law == "sed" and self.D_m2_s is not None:
            raise ValueError("law = 'sed' takes D_bulk_m2_s or conductivity_S_m, not D_m2_s")
        if extra:
            raise ValueError(f"law = '{self.law}' does not take {', '.join(extra)}")
        if self.law == "sed":
            if (self.D_bulk_m2_s is None) == (self.conductivity_S_m is None):
                raise ValueError("law = 'sed' needs exactly one of the keys D_bulk_m2_s and conductivity_S_m")
            if (self.sed_fwhm_eV is None) == (self.sed is None):
                raise ValueError("law = 'sed' needs exactly one of the keys sed_fwhm_eV and sed")
        missing = sorted(needed - given)
        if missing:
            raise ValueError(f"law = '{self.law}' needs the key {missing[0]}")
        if self.law == "exponential" and len(self.ln_D_coefficient or []) != 1:
            raise ValueError("law = 'exponential' has one ln_D_coefficient; several are those of law = 'polynomial'")
        if self.law == "spline":
            fraction, D = self.knot_fraction or [], self.knot_D_m2_s or []
            if len(fraction) != len(D):
                raise ValueError(f"knot_D_m2_s must have as many entries as knot_fraction ({len(fraction)})")
            if any(a >= b for a, b in itertools.pairwise(fraction)):
                raise ValueError("knot_fraction must increase")
            if fraction[0] < 0.0:
                raise ValueError(f"knot_fraction = {fraction[0]:g}: a fraction is not less than 0")
        if self.fraction_of is not None and self.populations == "intermixed":
            raise ValueError("fraction_of does not go with populations = 'intermixed', which takes the sum of all ions")
        if self.diffusion_term == "thermodynamic" and self.populations == "intermixed":
            raise ValueError("diffusion_term = 'thermodynamic' is that of one ion: use populations = 'separate'")
        if self.mixing_time_s is not None and self.populations == "separate":
            raise ValueError("mixing_time_s is the time to populations = 'intermixed', and these are separate")
        if self.diffusion_term == "thermodynamic" and self.fraction_of is not None:
            raise ValueError("diffusion_term = 'thermodynamic' needs the fraction of the ion itself, not fraction_of")
        return self


_COMMON = {"activation_energy_eV", "reference_temperature_K", "fraction_of"}
_SED = {"D_bulk_m2_s", "conductivity_S_m", "sed_fwhm_eV", "sed", "immobile_fraction", "filling", "populations",
        "diffusion_term", "mixing_time_s", "averaging"}  # fmt: skip
_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "constant": ({"D_m2_s"}, set()),
    "sed": ({"vacancy_fraction"}, _SED),
    "exponential": ({"D_m2_s", "ln_D_coefficient"}, {"reference_fraction"}),
    "polynomial": ({"D_m2_s", "ln_D_coefficient"}, {"reference_fraction"}),
    "spline": ({"knot_fraction", "knot_D_m2_s"}, {"curve"}),
    "table": ({"table"}, {"curve"}),
    "mutual": ({"partner"}, set()),
}
"""Keys that a law needs, and those that it takes beside them."""
