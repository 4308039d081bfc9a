"""Tables of the study files of `npp-jax tracer`: keys with units, and what each key may be."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files import ConfigTable, Diffusion, Fraction, Temperature, Time

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Permeability = Annotated[float, Field(gt=0.0, le=1.0)]
Energy = Annotated[float, Field(ge=0.0, le=5.0)]


class TruthTable(ConfigTable):
    """[truth]: with what synthetic data were made; reports set it beside the result. Lists are in the order of that."""

    D_m2_s: Positive | list[Positive] | None = None
    """D; of an evolution one for each temperature, ascending."""
    Dt_m2: Positive | None = None
    """D times the duration."""
    k_m_s: Positive | None = None
    """Surface exchange coefficient."""
    energy_eV: Positive | None = None
    """Activation energy."""
    permeability_m_s: Positive | list[Positive] | None = None
    """D_gb/δ; of several boundaries one for each."""
    D_bulk_m2_s: Positive | None = None
    """D of the grains."""

    def of(self, key: str, number: int) -> float | None:
        """The value behind one of the quantities of a key, if it is told."""
        value = getattr(self, key, None) if key else None
        if isinstance(value, list):
            return value[number] if number < len(value) else None
        return value

    def told(self) -> bool:
        """Whether anything is."""
        return bool(self.model_fields_set)


class ProfileFile(ConfigTable):
    """A measured isotope profile: a table (CSV), or a file of `npp-jax import-sims` and its species."""

    file: str
    light: str | None = None
    heavy: str | None = None
    species: str | None = None
    background_light_counts: NotNegative = 0.0
    background_heavy_counts: NotNegative = 0.0
    mass_bias: Positive = 1.0
    first_um: float | None = None
    last_um: float | None = None
    zero_um: float = 0.0
    """Position of the file at which the coordinate of the study is zero."""

    @model_validator(mode="after")
    def _complete(self) -> "ProfileFile":
        if (self.light is None) != (self.heavy is None):
            raise ValueError("light and heavy go together: the species of both isotopes")
        if self.file.endswith(".h5") and self.light is None and self.species is None:
            raise ValueError("a file of import-sims (.h5) needs light and heavy, or species")
        if self.species is not None and not self.file.endswith(".h5"):
            raise ValueError("species belongs to a file of import-sims (.h5)")
        if self.light is not None and self.species is not None:
            raise ValueError("species, a fraction by itself, excludes light and heavy")
        if None not in (self.first_um, self.last_um) and not (self.first_um or 0.0) < (self.last_um or 0.0):
            raise ValueError(f"first_um = {self.first_um:g} must be less than last_um = {self.last_um:g}")
        return self


class ModelTable(ConfigTable):
    """[model]: solution that a single profile is fitted with."""

    source: Literal["constant-surface", "surface-exchange", "finite-source"] = "constant-surface"
    duration_h: Time | None = None
    start_D_m2_s: Diffusion | None = None
    start_length_um: Positive | None = None
    start_k_m_s: Positive | None = None
    source_um: Positive | None = None
    thickness_um: Positive | None = None
    base: Fraction | None = None
    find_origin: bool = False

    @model_validator(mode="after")
    def _complete(self) -> "ModelTable":
        if (self.start_k_m_s is not None) != (self.source == "surface-exchange" and self.duration_h is not None):
            raise ValueError("start_k_m_s belongs to source = 'surface-exchange' with duration_h, which needs it")
        if (self.source_um is not None) != (self.source == "finite-source"):
            raise ValueError("source_um belongs to source = 'finite-source', which needs it")
        if (self.start_D_m2_s is None) == (self.start_length_um is None):
            raise ValueError("give one of start_D_m2_s and start_length_um, a rough 2√(Dt)")
        if self.start_D_m2_s is not None and self.duration_h is None:
            raise ValueError("without duration_h only Dt can be found: give start_length_um instead of start_D_m2_s")
        return self


class AnnealTable(ConfigTable):
    """[[specimens.anneals]]: a time in the closed sample, and the profile after it."""

    duration_h: Time
    temperature_K: Temperature
    profile: ProfileFile


class SpecimenTable(ConfigTable):
    """[[specimens]]."""

    name: str = Field(min_length=1)
    left_mm: Annotated[float, Field(lt=0.0)] = -1.0
    right_mm: Positive = 6.0
    exchanged: ProfileFile
    anneals: list[AnnealTable] = Field(min_length=1)


class EvolutionTable(ConfigTable):
    """[fit] of an evolution."""

    start_D_m2_s: Diffusion
    reference_temperature_K: Temperature
    start_energy_eV: Energy | None = None
    base: Fraction | None = None
    start_profile: Literal["exchange", "measured"] = "exchange"
    cells: Annotated[int, Field(ge=20, le=5000)] = 200
    steps: Annotated[int, Field(ge=4, le=1000)] = 32

    @model_validator(mode="after")
    def _complete(self) -> "EvolutionTable":
        if self.base is not None and self.start_profile == "measured":
            raise ValueError("base belongs to start_profile = 'exchange'")
        return self


class StageTable(ConfigTable):
    """[[stages]] of a chain or a map: exchange with a source at the first end, or storage without."""

    duration_h: Time
    source: Fraction | None = None
    k_m_s: Positive | None = None
    steps: Annotated[int, Field(ge=2, le=10_000)] = 32
    profile: ProfileFile | None = None

    @model_validator(mode="after")
    def _complete(self) -> "StageTable":
        if self.k_m_s is not None and self.source is None:
            raise ValueError("k_m_s needs source, the fraction that is exchanged with")
        return self


class ChainTable(ConfigTable):
    """[chain]: grains in series."""

    sizes_um: list[Positive] = Field(min_length=2)
    D_bulk_m2_s: Diffusion
    permeability_m_s: Permeability | list[Permeability]
    initial: Fraction = 0.0
    start_um: float = 0.0
    boundary_nm: Positive | None = None
    fit_bulk: bool = False
    cells: Annotated[int, Field(ge=2, le=200)] = 16

    @model_validator(mode="after")
    def _complete(self) -> "ChainTable":
        given, count = self.permeability_m_s, len(self.sizes_um) - 1
        if isinstance(given, list) and len(given) != count:
            raise ValueError(f"permeability_m_s has {len(given)} entries; {count} boundaries lie between the grains")
        return self


class MapTable(ConfigTable):
    """[map]: image of grains."""

    labels: str
    pixel_um: Positive
    D_bulk_m2_s: Diffusion
    D_bulk_relative_error: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    permeability_m_s: Permeability
    boundaries: Literal["one", "each"] = "one"
    initial: Fraction = 0.0
    boundary_nm: Positive | None = None
    iterations: Annotated[int, Field(ge=1, le=1000)] = 25


class CountsTable(ConfigTable):
    """[counts]: measured counts of both isotopes after the last stage."""

    light: str
    heavy: str


class CutTable(ConfigTable):
    """[[cuts]]: line across the map, from the centre of the first pixel."""

    start_um: tuple[float, float]
    end_um: tuple[float, float]
    width_um: Positive
    interval_um: Positive


class LineTable(ConfigTable):
    """[[lines]]: diffusion coefficients or conductivities at several temperatures, or a published law.

    D_cait_m2_s are those of charge attachment induced transport, which are of conductivity and not of a tracer.
    """

    name: str = Field(min_length=1)
    temperature_K: list[Temperature] | None = None
    D_m2_s: list[Positive] | None = None
    D_cait_m2_s: list[Positive] | None = None
    conductivity_S_m: list[Positive] | None = None
    relative_error: list[Positive] | Positive | None = None
    number_density_m3: Annotated[float, Field(ge=1e20, le=1e30)] | None = None
    charge: Annotated[int, Field(ge=1, le=4)] = 1
    prefactor_m2_s: Positive | None = None
    energy_eV: Energy | None = None

    @model_validator(mode="after")
    def _complete(self) -> "LineTable":
        is_law = self.prefactor_m2_s is not None
        values = [v for v in (self.D_m2_s, self.D_cait_m2_s, self.conductivity_S_m) if v is not None]
        if is_law != (self.energy_eV is not None) or len(values) + is_law != 1:
            raise ValueError("give D_m2_s, D_cait_m2_s, conductivity_S_m, or prefactor_m2_s and energy_eV")
        if (self.conductivity_S_m is not None) != (self.number_density_m3 is not None):
            raise ValueError("number_density_m3 belongs to conductivity_S_m, which needs it")
        if is_law:
            if self.temperature_K is not None or self.relative_error is not None:
                raise ValueError("a law, prefactor_m2_s and energy_eV, takes no temperature_K and no relative_error")
            return self
        count = len(values[0])
        if self.temperature_K is None or len(self.temperature_K) != count or count == 0:
            raise ValueError(f"temperature_K must have as many entries as the values ({count})")
        if isinstance(self.relative_error, list) and len(self.relative_error) != count:
            raise ValueError(f"relative_error must be one number or have {count} entries")
        return self


class HavenTable(ConfigTable):
    """[[haven]]: ratio of a tracer line to a conductivity line."""

    tracer: str
    conductivity: str
    temperature_K: list[Temperature] = Field(min_length=1)
