"""Ions that share one distribution of site energies, or have one of their own."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NM, SMALL, four_ions, ion, simulated

from npp_jax.files import ConfigError, parse_experiment
from npp_jax.physics import GaussianSED, SEDDiffusivity
from npp_jax.simulation.material import diffusivities
from npp_jax.simulation.simulate import simulate
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported
from npp_jax.simulation.units import mixture_of


def test_laws_of_separate_and_intermixed_populations() -> None:
    """Alone in the distribution an ion is both; among others of equal charge a common Fermi energy never moves."""
    sed = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.25, "vacancy_fraction": 0.1}
    species = [
        {"name": "Li", "charge": 1, "bulk_fraction": 1.0, "diffusivity": sed},
        {"name": "Rb", "charge": 1, "bulk_fraction": 0.0, "diffusivity": {**sed, "D_bulk_m2_s": 1e-20}},
        {"name": "Ca", "charge": 2, "bulk_fraction": 0.0, "diffusivity": {**sed, "populations": "intermixed"}},
    ]
    stage = {"front": "ion-beam", "beam": "Rb", "temperature_K": 350.0, "charge_C_m2": 1.0, "potential_V": 1.0}
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}

    def laws(kind: str, *cells: float) -> list[float]:
        for table in species:
            table["diffusivity"]["populations"] = kind
        parsed = parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": [stage]})
        medium = mixture_of(parsed, parsed.stages[0], 0.0)
        return [float(D[0]) for D in diffusivities(medium, tuple(jnp.asarray([c]) for c in cells))]

    # No ion but the native one: what fills the sites is the same.
    np.testing.assert_allclose(laws("separate", 0.3, 0.0, 0.0)[0], laws("intermixed", 0.3, 0.0, 0.0)[0], rtol=1e-12)
    # A foreign ion has its law of its own fraction n/N.
    separate = laws("separate", 0.7, 0.3, 0.0)
    np.testing.assert_allclose(separate[1] * 100.0, laws("separate", 0.3, 0.7, 0.0)[0], rtol=1e-12)
    # Replacement one for one keeps the common Fermi energy; two for one empties the distribution.
    np.testing.assert_allclose(laws("intermixed", 0.4, 0.6, 0.0), [1.0, 0.01, 1.0], rtol=1e-12)
    np.testing.assert_allclose(laws("intermixed", 0.4, 0.0, 0.3)[0], laws("separate", 0.7, 0.0, 0.0)[0], rtol=1e-12)
    assert laws("separate", 0.4, 0.6, 0.0)[0] < 1e-2


@pytest.mark.slow
def test_double_exchange_tells_separate_from_intermixed_populations() -> None:
    """Cs after Rb on Li. In a common distribution ions that replace each other one for one never move the Fermi energy:
    profiles are those of constant D, here of a separate distribution without a width."""

    def profiles(kind: str, *widths: float, mixing_time: jax.Array | None = None) -> np.ndarray:
        sed = {"law": "sed", "sed_fwhm_eV": 0.2, "vacancy_fraction": 0.1, "populations": kind}
        native = {"name": "Li", "bulk_fraction": 1.0, "diffusivity": {**sed, "D_bulk_m2_s": 1e-18}}
        species = [native, ion("Rb", 0.0, 2e-20), ion("Cs", 0.0, 1e-20)]
        stages = [
            {"front": "ion-beam", "beam": beam, "temperature_K": 350.0, "potential_V": 0.5, "charge_C_m2": charge}
            for beam, charge in (("Rb", 200.0), ("Cs", 100.0))
        ]
        sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
        double = parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": stages})
        lithium, *foreign = double.species
        law = replace(lithium.diffusivity, sed=GaussianSED(jnp.asarray(widths)), mixing_time=mixing_time)
        double = replace(double, species=(replace(lithium, diffusivity=law), *foreign))
        solution = simulated(SMALL)(double)
        assert np.asarray(solution.report.status).max() == Status.DONE
        return np.asarray(solution.profile(jnp.linspace(0.0, 400.0 * NM, 100)))

    separate = profiles("separate", 0.2, 1e-5)
    (intermixed,) = np.moveaxis(profiles("intermixed", 0.2), -1, 0)
    np.testing.assert_allclose(intermixed, separate[..., 1], atol=1e-3)
    assert np.abs(intermixed - separate[..., 0]).max() > 0.1
    # Intermixing in time goes from one to the other.
    at_once, in_time, never = np.moveaxis(
        profiles("intermixed", 0.2, 0.2, 0.2, mixing_time=jnp.asarray([1e-3, 1e5, 1e12])), -1, 0
    )
    np.testing.assert_allclose(at_once, intermixed, atol=1e-5)
    np.testing.assert_allclose(never, separate[..., 0], atol=1e-5)
    assert min(np.abs(in_time - end).max() for end in (at_once, never)) > 0.1


def test_exchange_rate_and_intermixed_populations_where_they_do_not_belong() -> None:
    closed = {"front": "closed", "temperature_K": 350.0, "duration_s": 1.0, "exchange_rate_m_s": 1e-9}
    with pytest.raises(ConfigError, match="exchange_rate_m_s belongs to front = 'reservoir'"):
        four_ions(**closed)
    experiment = four_ions()
    law = SEDDiffusivity(1e-18, GaussianSED(0.25), 0.1, populations="intermixed")
    mixed = replace(experiment, species=(replace(experiment.species[0], diffusivity=law), *experiment.species[1:]))
    with pytest.raises(Unsupported, match="intermixed populations"):
        simulate(mixed, model="full")
