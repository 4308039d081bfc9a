"""Tables of an experiment file (TOML, schema version 1): keys with units, ranges, and what belongs together."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files.errors import ConfigTable, required
from npp_jax.files.limits import within
from npp_jax.physics import keys

Diffusion = Annotated[float, within(keys.ION["D_m2_s"])]
Fraction = Annotated[float, within(keys.ION["bulk_fraction"])]
Temperature = Annotated[float, within(keys.STAGE["temperature_K"])]
Time = Annotated[float, within(keys.STAGE["duration_s"])]
Charge = Annotated[float, within(keys.STAGE["charge_C_m2"])]


class SampleTable(ConfigTable):
    """[sample]."""

    thickness_um: Annotated[float, within(keys.SAMPLE["thickness_um"])]
    """Thickness."""
    permittivity: Annotated[float, within(keys.SAMPLE["permittivity"])]
    """Relative permittivity; it matters to the full model and to the excess charge."""
    bulk_density_m3: Annotated[float, within(keys.SAMPLE["bulk_density_m3"])]
    """Mobile ions in the bulk, all species together."""


class SEDTable(ConfigTable):
    """Distribution of site energies other than one Gaussian."""

    kind: Literal["mixture", "table"]
    """Sum of Gaussians, or a table of the occupied fraction."""
    energy_eV: list[float] = Field(min_length=1)
    """Energies: centres of the Gaussians, or of the table, increasing."""
    fwhm_eV: list[Annotated[float, within(keys.SITES["sed_fwhm_eV"])]] | None = None
    """Full widths at half maximum of the Gaussians."""
    weight: list[Annotated[float, within(keys.SITES["sed_weight"])]] | None = None
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

    law: Literal["constant", "sed"]
    """`constant`, or `sed`: D falls as the sites of a distribution of energies are emptied."""
    D_m2_s: Diffusion | None = None
    """D of the constant law, at the reference temperature if it is activated."""
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
    activation_energy_eV: Annotated[float, within(keys.ION["activation_energy_eV"])] | None = None
    """Arrhenius activation beside the distribution; goes with reference_temperature_K."""
    reference_temperature_K: Temperature | None = None
    """Temperature at which D or the conductivity is given."""

    @model_validator(mode="after")
    def _complete(self) -> "DiffusivityTable":
        given = self.model_fields_set
        if (self.activation_energy_eV is None) != (self.reference_temperature_K is None):
            raise ValueError("activation_energy_eV and reference_temperature_K go together")
        if self.law == "constant":
            extra = sorted(given - {"law", "D_m2_s", "activation_energy_eV", "reference_temperature_K"})
            if extra:
                raise ValueError(f"law = 'constant' does not take {', '.join(extra)}")
            if self.D_m2_s is None:
                raise ValueError("law = 'constant' needs the key D_m2_s")
            return self
        if self.D_m2_s is not None:
            raise ValueError("law = 'sed' takes D_bulk_m2_s or conductivity_S_m, not D_m2_s")
        if (self.D_bulk_m2_s is None) == (self.conductivity_S_m is None):
            raise ValueError("law = 'sed' needs exactly one of the keys D_bulk_m2_s and conductivity_S_m")
        if (self.sed_fwhm_eV is None) == (self.sed is None):
            raise ValueError("law = 'sed' needs exactly one of the keys sed_fwhm_eV and sed")
        if self.vacancy_fraction is None:
            raise ValueError("law = 'sed' needs the key vacancy_fraction")
        return self


class SpeciesTable(ConfigTable):
    """[[species]]."""

    name: str = Field(min_length=1)
    """Name, by which stages, profiles and parameters call the ion."""
    charge: Annotated[int, Field(ge=1, le=4)] = 1
    """Charge number."""
    bulk_fraction: Fraction
    """Share of the mobile ions of the bulk; all add up to one."""
    back: Literal["releasing", "blocking"] = "releasing"
    """Whether the back electrode lets the ion out."""
    diffusivity: DiffusivityTable
    """Its law, [species.diffusivity]."""


class StageTable(ConfigTable):
    """[[stages]]."""

    front: Literal["ion-beam", "closed", "reservoir", "blocking"]
    """What is at the surface: an ion beam, nothing, a melt, or an electrode that passes no ion."""
    temperature_K: Temperature
    """Temperature."""
    beam: str | None = None
    """Ion of the beam."""
    duration_s: Time | None = None
    """End of the stage: its length."""
    duration_h: Time | None = None
    """The same in hours."""
    charge_C_m2: Charge | None = None
    """End of the stage: the charge passed."""
    charge_mC_cm2: Charge | None = None
    """The same per cm²."""
    output_times_s: list[Time] | None = None
    """Times at which profiles are given, beside the end."""
    output_charges_C_m2: list[Charge] | None = None
    """Charges at which profiles are given, beside the end."""
    potential_V: Annotated[float, within(keys.STAGE["potential_V"])] | None = None
    """Potential of the surface, constant or at the start of a ramp."""
    potential_end_V: Annotated[float, within(keys.STAGE["potential_end_V"])] | None = None
    """Potential at the end of a ramp."""
    potential_trace: str | None = None
    """Table of times and potentials, beside the file."""
    current_density_A_m2: Annotated[float, within(keys.STAGE["current_density_A_m2"])] | None = None
    """Current density of the beam, constant or at the start of a ramp."""
    current_density_end_A_m2: Annotated[float, within(keys.STAGE["current_density_end_A_m2"])] | None = None
    """Current density at the end of a ramp."""
    current_density_trace: str | None = None
    """Table of times and current densities, beside the file."""
    reservoir_fraction: dict[str, Annotated[float, within(keys.RESERVOIR["reservoir_fraction"])]] | None = None
    """Fraction of each ion at the surface in equilibrium with the melt."""
    exchange_rate_m_s: Annotated[float, within(keys.STAGE["exchange_rate_m_s"])] | None = None
    """Surface exchange coefficient; without it the surface is in equilibrium at once."""

    @model_validator(mode="after")
    def _consistent(self) -> "StageTable":
        ends = [k for k in ("duration_s", "duration_h", "charge_C_m2", "charge_mC_cm2") if getattr(self, k) is not None]
        if len(ends) != 1:
            raise ValueError(
                f"a stage has exactly one end: duration_s, duration_h, charge_C_m2 or charge_mC_cm2; "
                f"given: {', '.join(ends) or 'none'}"
            )
        drives = ("potential_V", "potential_trace", "current_density_A_m2", "current_density_trace")
        given = [k for k in drives if getattr(self, k) is not None]
        if self.front == "ion-beam":
            if self.beam is None:
                raise ValueError("front = 'ion-beam' needs the key beam")
            if len(given) != 1:
                raise ValueError(
                    f"an ion beam has exactly one of {', '.join(drives)}; given: {', '.join(given) or 'none'}"
                )
        elif (self.front == "blocking" and [k for k in given if k.startswith("potential")] != given) or (
            self.front == "blocking" and len(given) != 1
        ):
            raise ValueError("front = 'blocking' needs potential_V or potential_trace")
        elif self.front in ("closed", "reservoir") and given:
            raise ValueError(f"front = '{self.front}' takes no {given[0]}")
        if self.front != "ion-beam" and self.beam is not None:
            raise ValueError(f"front = '{self.front}' takes no beam")
        if (self.front == "reservoir") != (self.reservoir_fraction is not None):
            raise ValueError("reservoir_fraction belongs to front = 'reservoir', and only there")
        if self.front != "reservoir" and self.exchange_rate_m_s is not None:
            raise ValueError("exchange_rate_m_s belongs to front = 'reservoir', and only there")
        if self.front != "ion-beam" and self.duration is None:
            raise ValueError(f"front = '{self.front}' ends at a duration")
        for ramp, level in (("potential_end_V", "potential_V"), ("current_density_end_A_m2", "current_density_A_m2")):
            if getattr(self, ramp) is not None and (getattr(self, level) is None or self.duration is None):
                raise ValueError(f"{ramp} needs {level} and a duration")
        by_time = self.duration is not None
        times, end = (self.output_times_s, self.duration) if by_time else (self.output_charges_C_m2, self.end_charge)
        if (self.output_charges_C_m2 if by_time else self.output_times_s) is not None:
            raise ValueError(
                "outputs follow the end of the stage: output_times_s with a duration, output_charges_C_m2 with a charge"
            )
        if times and (any(a >= b for a, b in itertools.pairwise(times)) or times[-1] > required(end) * (1 + 1e-9)):
            raise ValueError(f"output points must increase and not exceed the end of the stage ({end:g})")
        return self

    @property
    def duration(self) -> float | None:
        """Length of the stage [s]."""
        return self.duration_s if self.duration_h is None else 3600.0 * self.duration_h

    @property
    def traces(self) -> dict[str, str]:
        """Files of traces, by the keys that name them."""
        keys = ("potential_trace", "current_density_trace")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    @property
    def end_charge(self) -> float | None:
        """Charge at which the stage ends [C/m²]."""
        return self.charge_C_m2 if self.charge_mC_cm2 is None else 10.0 * self.charge_mC_cm2


class ExperimentTable(ConfigTable):
    """A whole experiment file."""

    schema_version: Literal[1]
    """Version of the format."""
    title: str = ""
    """One line for reports."""
    sample: SampleTable
    """The slab, [sample]."""
    species: list[SpeciesTable] = Field(min_length=1)
    """Mobile ions, one [[species]] each."""
    stages: list[StageTable] = Field(min_length=1)
    """What is done to the sample, one [[stages]] each, in order."""

    @model_validator(mode="after")
    def _names(self) -> "ExperimentTable":
        names = [species.name for species in self.species]
        if len(set(names)) != len(names):
            raise ValueError(f"species names must differ, got {', '.join(names)}")
        for k, stage in enumerate(self.stages):
            named = [stage.beam] if stage.beam is not None else list(stage.reservoir_fraction or {})
            for name in named:
                if name not in names:
                    raise ValueError(f"stages[{k}] names the species '{name}', known are {', '.join(names)}")
        total = sum(species.bulk_fraction for species in self.species)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the bulk fractions must add up to 1, got {total:g}")
        return self
