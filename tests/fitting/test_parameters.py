"""Parameters of experiments by the keys of the files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.files import load_experiment
from npp_jax.fitting import Measurement, Problem, known_keys, place, value_of
from npp_jax.fitting.parameters import spread
from npp_jax.inference import Parameter, ParameterError

GLASS = "sweeps/lithium_borate_K.toml"


@pytest.fixture(scope="module")
def glass(pytestconfig):
    return load_experiment(pytestconfig.rootpath / GLASS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Li.sed_fwhm_eV", 0.25),
        ("Li.vacancy_fraction", 0.1),
        ("Li.conductivity_S_m", 1e-7),
        ("K.D_m2_s", 9.6813e-22),
        ("sample.thickness_um", 500.0),
        ("stages.0.temperature_K", 350.0),
        ("stages.0.potential_V", 10.0),
        ("stages.0.charge_mC_cm2", 20.1),
    ],
)
def test_values_are_those_of_the_file(glass, key, value):
    np.testing.assert_allclose(value_of(glass, key), value, rtol=1e-12)


def test_every_key_is_placed_and_read_back(glass):
    for key in known_keys(glass):
        new = 1.25 * value_of(glass, key)
        np.testing.assert_allclose(value_of(place(glass, {key: new}), key), new, rtol=1e-12, err_msg=key)


def test_placing_leaves_everything_else(glass):
    changed = place(glass, {"K.D_m2_s": 1e-20})
    others = [key for key in known_keys(glass) if key != "K.D_m2_s"]
    for key in others:
        assert value_of(changed, key) == value_of(glass, key)


def test_unknown_key_names_the_nearest(glass):
    with pytest.raises(ParameterError, match=r"did you mean 'Li\.sed_fwhm_eV'"):
        place(glass, {"Li.sed_fwhm": 0.2})


def test_conductivity_is_another_name_of_the_bulk_diffusivity(glass):
    # Nernst–Einstein, by hand: D = σ kT/(n e²).
    expected = 2e-7 * 1.380649e-23 * 350.0 / (1.4e28 * 1.602176634e-19**2)
    np.testing.assert_allclose(
        value_of(place(glass, {"Li.conductivity_S_m": 2e-7}), "Li.D_bulk_m2_s"), expected, rtol=1e-10
    )


def test_placing_is_differentiable(glass):
    slope = jax.grad(lambda v: value_of(place(glass, {"Li.conductivity_S_m": v}), "Li.D_bulk_m2_s"))(1e-7)
    np.testing.assert_allclose(slope, value_of(glass, "Li.D_bulk_m2_s") / 1e-7, rtol=1e-10)


def test_batch_reaches_every_leaf(glass):
    batch = place(glass, {"stages.0.potential_V": jnp.array([5.0, 10.0, 20.0])})
    full = spread(place(batch, {"Li.sed_fwhm_eV": jnp.array([0.2, 0.25, 0.3])}), glass, (3,))
    for leaf, plain in zip(jax.tree.leaves(full), jax.tree.leaves(glass), strict=True):
        assert leaf.shape == (*jnp.shape(plain), 3)
    np.testing.assert_array_equal(full.stages[0].front.potential.value[0], [5.0, 10.0, 20.0])


def test_problem_refuses_what_does_not_fit(glass):
    measurement = Measurement("K", glass)
    with pytest.raises(ParameterError, match=r"parameter .x., .K.: the experiment has no key .Li\.nothing.; "):
        Problem((measurement,), (Parameter("x", ("Li.nothing",), 0.0, 1.0),))
    with pytest.raises(ValueError, match="no experiment is called"):
        Problem((measurement,), (Parameter("x", ("K.D_m2_s",), 1e-22, 1e-20, experiments=("Rb",)),))
    with pytest.raises(ValueError, match="must differ"):
        Problem((measurement, measurement), ())
    with pytest.raises(ParameterError, match=r"v: high = 1\.4: Li\.vacancy_fraction must be .* less than 1"):
        Problem((measurement,), (Parameter("v", ("Li.vacancy_fraction",), 0.1, 1.4),))
