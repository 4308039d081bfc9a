"""Tables of the study files of `npp-jax tracer`: keys with units, and what each key may be."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files import ConfigTable, Diffusion, Fraction, Name, Temperature, Time

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Permeability = Annotated[float, Field(gt=0.0, le=1.0)]
Energy = Annotated[float, Field(ge=0.0, le=5.0)]


class ProfileFile(ConfigTable):
    """A measured isotope profile: a table (CSV), or a file of `npp-jax import-sims` and its species."""

    file: str
    """Table, or file of `npp-jax import-sims`, as it is found from the study."""
    light: str | None = None
    """Column of counts or species of the light isotope."""
    heavy: str | None = None
    """Column of counts or species of the heavy isotope."""
    species: str | None = None
    """Species whose fraction is taken as it is, of a file of `import-sims`."""
    background_light_counts: NotNegative = 0.0
    """Background counts of the light isotope at a point."""
    background_heavy_counts: NotNegative = 0.0
    """Background counts of the heavy isotope at a point."""
    mass_bias: Positive = 1.0
    """Sensitivity for the light isotope over that for the heavy one."""
    first_um: float | None = None
    """Points in front of it are left out."""
    last_um: float | None = None
    """Points behind it are left out."""
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


class AnnealTable(ConfigTable):
    """[[specimens.anneals]]: a time in the closed sample, and the profile after it."""

    duration_h: Time
    """Time."""
    temperature_K: Temperature
    """Temperature."""
    profile: ProfileFile
    """What was measured after it."""


class SpecimenTable(ConfigTable):
    """[[specimens]]."""

    name: Name
    """Name in the report."""
    left_mm: Annotated[float, Field(lt=0.0)] = -1.0
    """End of the sample in front of the surface."""
    right_mm: Positive = 6.0
    """End of the sample."""
    exchanged: ProfileFile
    """What was measured after the exchange."""
    anneals: list[AnnealTable] = Field(min_length=1)
    """Times in the closed sample, one [[specimens.anneals]] each."""


class EvolutionTable(ConfigTable):
    """[fit] of an evolution."""

    start_D_m2_s: Diffusion
    """D at the reference temperature to start from."""
    reference_temperature_K: Temperature
    """Temperature of that D."""
    start_energy_eV: Energy | None = None
    """Activation energy to start from; needed with several temperatures."""
    base: Fraction | None = None
    """Fraction of the untouched sample; found, if not given."""
    start_profile: Literal["exchange", "measured"] = "exchange"
    """Whether the first profile is that of an exchange, or taken as measured."""
    cells: Annotated[int, Field(ge=20, le=5000)] = 200
    """Cells of the mesh."""
    steps: Annotated[int, Field(ge=4, le=1000)] = 32
    """Time steps of an anneal."""

    @model_validator(mode="after")
    def _complete(self) -> "EvolutionTable":
        if self.base is not None and self.start_profile == "measured":
            raise ValueError("base belongs to start_profile = 'exchange'")
        return self


class StageTable(ConfigTable):
    """[[stages]] of a chain or a map: exchange with a source at the first end, or storage without."""

    duration_h: Time
    """Time."""
    source: Fraction | None = None
    """Fraction at the first end; closed, if not given."""
    k_m_s: Positive | None = None
    """Surface exchange coefficient; in equilibrium at once, if not given."""
    steps: Annotated[int, Field(ge=2, le=10_000)] = 32
    """Time steps."""
    profile: ProfileFile | None = None
    """What was measured after it."""

    @model_validator(mode="after")
    def _complete(self) -> "StageTable":
        if self.k_m_s is not None and self.source is None:
            raise ValueError("k_m_s needs source, the fraction that is exchanged with")
        return self


class ChainTable(ConfigTable):
    """[chain]: grains in series."""

    sizes_um: list[Positive] = Field(min_length=2)
    """Sizes of the grains, in order."""
    D_bulk_m2_s: Diffusion
    """D of the grains."""
    permeability_m_s: Permeability | list[Permeability]
    """D_gb/δ of the boundaries, one for all or one each: to start from, or to simulate."""
    initial: Fraction = 0.0
    """Isotope fraction at the beginning."""
    start_um: float = 0.0
    """Position of the first end."""
    boundary_nm: Positive | None = None
    """Thickness of a boundary, to make D_gb of D_gb/δ."""
    fit_bulk: bool = False
    """Whether D of the grains is found too."""
    cells: Annotated[int, Field(ge=2, le=200)] = 16
    """Cells of a grain."""

    @model_validator(mode="after")
    def _complete(self) -> "ChainTable":
        given, count = self.permeability_m_s, len(self.sizes_um) - 1
        if isinstance(given, list) and len(given) != count:
            raise ValueError(f"permeability_m_s has {len(given)} entries; {count} boundaries lie between the grains")
        return self


class MapTable(ConfigTable):
    """[map]: image of grains."""

    labels: str
    """Image with one grey level or colour a grain, or integers (.npy)."""
    pixel_um: Positive
    """Size of a pixel."""
    D_bulk_m2_s: Diffusion
    """D of the grains."""
    D_bulk_relative_error: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    """Its relative error, where it may vary."""
    permeability_m_s: Permeability
    """D_gb/δ to start from, or to simulate."""
    boundaries: Literal["one", "each"] = "one"
    """One D_gb/δ for all boundaries, or one for each."""
    initial: Fraction = 0.0
    """Isotope fraction at the beginning."""
    boundary_nm: Positive | None = None
    """Thickness of a boundary, to make D_gb of D_gb/δ."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 25
    """Most iterations of the fit."""


class CountsTable(ConfigTable):
    """[counts]: measured counts of both isotopes after the last stage."""

    light: str
    """Counts of the light isotope, [row, column] (.npy)."""
    heavy: str
    """Counts of the heavy isotope, [row, column] (.npy)."""


class CutTable(ConfigTable):
    """[[cuts]]: line across the map, from the centre of the first pixel."""

    start_um: tuple[float, float]
    """First end: row, column."""
    end_um: tuple[float, float]
    """Last end: row, column."""
    width_um: Positive
    """Width over which pixels are taken together."""
    interval_um: Positive
    """Length over which they are."""


class LineTable(ConfigTable):
    """[[lines]]: diffusion coefficients or conductivities at several temperatures, or a published law.

    D_cait_m2_s are those of charge attachment induced transport, which are of conductivity and not of a tracer.
    """

    name: Name
    """Name in the figure, by which [[haven]] calls it."""
    temperature_K: list[Temperature] | None = None
    """Temperatures."""
    D_m2_s: list[Positive] | None = None
    """Diffusion coefficients."""
    D_cait_m2_s: list[Positive] | None = None
    """Diffusion coefficients of charge attachment, which are of conductivity."""
    conductivity_S_m: list[Positive] | None = None
    """Conductivities; with number_density_m3 they give D."""
    relative_error: list[Positive] | Positive | None = None
    """Relative standard errors, one for all or one each."""
    number_density_m3: Annotated[float, Field(ge=1e20, le=1e30)] | None = None
    """Density of the charge carriers."""
    charge: Annotated[int, Field(ge=1, le=4)] = 1
    """Their charge number."""
    prefactor_m2_s: Positive | None = None
    """Prefactor of a published law."""
    energy_eV: Energy | None = None
    """Its activation energy."""

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
    """Line of the tracer."""
    conductivity: str
    """Line of the conductivity."""
    temperature_K: list[Temperature] = Field(min_length=1)
    """Temperatures of the ratio."""
