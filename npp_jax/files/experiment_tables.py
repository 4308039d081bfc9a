"""Tables of an experiment file (TOML, schema version 1): keys with units, ranges, and what belongs together."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files.errors import ConfigTable, Name, required
from npp_jax.files.law_tables import DiffusivityTable
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
    hop_length_nm: Annotated[float, within(keys.SAMPLE["hop_length_nm"])] | None = None
    """Distance a of a hop: a strong field E speeds the drift up by sinh(x)/x, x = z e a E/(2kT). Not given: never."""
    cross_coefficient: Annotated[float, within(keys.SAMPLE["cross_coefficient"])] | None = None
    """λ of the Onsager coefficients between different ions, L_ij = λ L_i L_j/Σ L. Not given: none."""


class SpeciesTable(ConfigTable):
    """[[species]]."""

    name: Name
    """Name, by which stages, profiles and parameters call the ion."""
    charge: Annotated[int, Field(ge=1, le=4)] = 1
    """Charge number."""
    bulk_fraction: Fraction
    """Share of the mobile ions of the bulk; all add up to one."""
    back: Literal["releasing", "blocking"] = "releasing"
    """Whether the back electrode lets the ion out; in a melt it then holds the bulk, and blocking closes a plate."""
    diffusivity: DiffusivityTable
    """Its law, [species.diffusivity]."""


class InitialTable(ConfigTable):
    """[[initial]]: profile of an ion at the start, where it is not that of the bulk."""

    species: str
    """The ion. Ions without a profile share what charge is left, those of the bulk first."""
    form: Literal["step", "erfc", "gaussian", "table"]
    """A step as in a couple, what has diffused in from the surface, an implanted layer, or a table."""
    position_um: Annotated[float, within(keys.INITIAL["position_um"])] | None = None
    """Depth of a step, or of the maximum of an implanted layer."""
    width_um: Annotated[float, within(keys.INITIAL["width_um"])] | None = None
    """w of erfc(x/w), 2√(Dt); 0 or not given for a sharp step. Of an implanted layer the standard deviation."""
    surface_fraction: Annotated[float, within(keys.INITIAL["surface_fraction"])] | None = None
    """Fraction n/N above a step, or at the surface."""
    deep_fraction: Annotated[float, within(keys.INITIAL["deep_fraction"])] | None = None
    """Fraction far below; of an implanted layer 0 if not given."""
    peak_fraction: Annotated[float, within(keys.INITIAL["peak_fraction"])] | None = None
    """What an implanted layer adds at its maximum."""
    table: str | None = None
    """Table of depths and fractions, beside the file; the column has the name of the ion."""

    @model_validator(mode="after")
    def _complete(self) -> "InitialTable":
        needed, more = {
            "step": ({"position_um", "surface_fraction", "deep_fraction"}, {"width_um"}),
            "erfc": ({"surface_fraction", "deep_fraction", "width_um"}, set[str]()),
            "gaussian": ({"position_um", "peak_fraction", "width_um"}, {"deep_fraction"}),
            "table": ({"table"}, set[str]()),
        }[self.form]
        given = {name for name in self.model_fields_set if getattr(self, name) is not None} - {"species", "form"}
        missing, extra = sorted(needed - given), sorted(given - needed - more)
        if missing:
            raise ValueError(f"form = '{self.form}' needs the key {missing[0]}")
        if extra:
            raise ValueError(f"form = '{self.form}' does not take {', '.join(extra)}")
        if self.form in ("erfc", "gaussian") and not required(self.width_um) > 0.0:
            raise ValueError(f"form = '{self.form}' needs a width_um greater than 0")
        return self


class StageTable(ConfigTable):
    """[[stages]]."""

    front: Literal["ion-beam", "closed", "reservoir", "blocking"]
    """What is at the surface: an ion beam, nothing, a melt, or an electrode that passes no ion."""
    temperature_K: Temperature
    """Temperature."""
    beam: str | None = None
    """Ion of the beam. Where it is one of two, it must be the foreign one, and the bulk hold the native ion alone."""
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
    initial: list[InitialTable] = Field(default_factory=list)
    """Profiles at the start, one [[initial]] each; without any, the bulk is everywhere."""
    stages: list[StageTable] = Field(min_length=1)
    """What is done to the sample, one [[stages]] each, in order."""

    @property
    def tables(self) -> dict[tuple[str, int, str], str]:
        """Files of numbers beside the experiment file, by the list, the entry in it and the key that name them."""
        found: dict[tuple[str, int, str], str] = {}
        for k, species in enumerate(self.species):
            if species.diffusivity.table is not None:
                found["species", k, "diffusivity.table"] = species.diffusivity.table
        for k, entry in enumerate(self.initial):
            if entry.table is not None:
                found["initial", k, "table"] = entry.table
        for k, stage in enumerate(self.stages):
            found |= {("stages", k, key): name for key, name in stage.traces.items()}
        return found

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
        profiles = [entry.species for entry in self.initial]
        for name in profiles:
            if name not in names:
                raise ValueError(f"initial names the species '{name}', known are {', '.join(names)}")
            if profiles.count(name) > 1:
                raise ValueError(f"initial has two profiles of {name}")
        total = sum(species.bulk_fraction for species in self.species)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the bulk fractions must add up to 1, got {total:g}")
        return self
