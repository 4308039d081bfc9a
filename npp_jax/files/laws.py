"""Laws of D of an experiment file: from their tables to what the physics takes."""

from pathlib import Path

import jax.numpy as jnp

from npp_jax.files.curves import read_law
from npp_jax.files.errors import ConfigError, required
from npp_jax.files.experiment_tables import SpeciesTable
from npp_jax.files.law_tables import DiffusivityTable
from npp_jax.physics import (
    AbstractDiffusivity,
    AbstractSED,
    Arrhenius,
    ConstantDiffusivity,
    ExponentialDiffusivity,
    GaussianSED,
    MixtureSED,
    MutualDiffusivity,
    SEDDiffusivity,
    SplineDiffusivity,
    TabulatedSED,
)
from npp_jax.physics.nernst_einstein import nernst_einstein


def law_of(species: SpeciesTable, density: float, temperature: float, folder: Path, number: int) -> AbstractDiffusivity:
    """Law of an ion.

    Parameters
    ----------
    species
        Table of the ion.
    density
        Density of all mobile ions of the bulk. [1/m³]
    temperature
        That of the first stage. [K]
    folder
        Where tables lie.
    number
        Place of the ion in the file, for messages.

    Raises
    ------
    ConfigError
        One line: what is wrong.
    """
    table = species.diffusivity
    arrhenius = None
    if table.activation_energy_eV is not None:
        arrhenius = Arrhenius(table.activation_energy_eV, required(table.reference_temperature_K))
    match table.law:
        case "constant":
            return ConstantDiffusivity(required(table.D_m2_s), arrhenius)
        case "exponential" | "polynomial":
            coefficient = jnp.asarray(required(table.ln_D_coefficient), float)
            return ExponentialDiffusivity(required(table.D_m2_s), coefficient, table.reference_fraction, arrhenius)
        case "spline":
            knots = jnp.asarray(required(table.knot_fraction), float)
            return SplineDiffusivity(knots, jnp.asarray(required(table.knot_D_m2_s)), table.curve, arrhenius)
        case "table":
            try:
                return SplineDiffusivity(*read_law(folder / required(table.table)), table.curve, arrhenius)
            except ConfigError as error:
                raise ConfigError(f"species[{number}].diffusivity.table: {error}") from None
        case "mutual":
            return MutualDiffusivity(required(table.partner))
    return _of_sites(species, density, temperature, arrhenius)


def _of_sites(
    species: SpeciesTable, density: float, temperature: float, arrhenius: Arrhenius | None
) -> AbstractDiffusivity:
    table, bulk = species.diffusivity, species.diffusivity.D_bulk_m2_s
    if bulk is None:
        carriers = species.bulk_fraction * density
        if carriers == 0.0:
            raise ConfigError(f"species '{species.name}': conductivity_S_m needs an ion that is present in the bulk")
        # The state in which the conductivity is given: D of another temperature follows from it by the activation.
        given_at = temperature if arrhenius is None else arrhenius.reference_temperature
        bulk = nernst_einstein(required(table.conductivity_S_m), carriers, given_at, charge_number=species.charge)
    return SEDDiffusivity(
        bulk,
        _sed(table),
        required(table.vacancy_fraction),
        table.immobile_fraction,
        filling=table.filling,
        populations=table.populations,
        diffusion_term=table.diffusion_term,
        averaging=table.averaging,
        arrhenius=arrhenius,
        mixing_time=table.mixing_time_s,
    )


def _sed(table: DiffusivityTable) -> AbstractSED:
    if table.sed is None:
        return GaussianSED(required(table.sed_fwhm_eV))
    if table.sed.kind == "mixture":
        return MixtureSED(
            jnp.asarray(table.sed.energy_eV), jnp.asarray(table.sed.fwhm_eV), jnp.asarray(table.sed.weight)
        )
    return TabulatedSED(jnp.asarray(table.sed.occupied), jnp.asarray(table.sed.energy_eV))
