"""Figures of isotope exchange show the data they are given."""

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.figures.tracer import Activated, arrhenius, boundary_steps, isotope_profiles
from npp_jax.tracer.boundaries import chain_of_grains
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.transport import fit_arrhenius


def test_profiles_and_fits_of_each_time_have_one_colour():
    ax = Figure().subplots()
    x = jnp.linspace(-1e-3, 5e-3, 20)
    measured = [MeasuredProfile(x, 0.1 * k + 0.1 * x / 1e-3, 0.01) for k in (1, 2)]
    curves = jnp.stack([m.fraction for m in measured])
    assert isotope_profiles(ax, measured, ["110 h", "2 weeks"], position=x, fitted=curves) is ax
    lines = {tuple(np.round(line.get_ydata(), 9)): line.get_color() for line in ax.get_lines()}
    assert len(set(lines.values())) == 2
    np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), np.asarray(x) * 1e3)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"110 h", "2 weeks", "fit"}


def test_steps_are_drawn_as_steps():
    ax = Figure().subplots()
    chain = chain_of_grains([16e-6, 16e-6], 1.5e-8, 2.6e-12, cells=4)
    fraction = jnp.where(chain.centres < 16e-6, 0.8, 0.3)
    profile = MeasuredProfile(chain.centres, fraction, 0.01)
    boundary_steps(ax, chain, fraction, measured=profile, boundaries=jnp.asarray([16e-6]))
    curve = next(line for line in ax.get_lines() if len(line.get_xdata()) > 100)
    jump = np.max(np.abs(np.diff(curve.get_ydata())))
    assert 0.4 < jump < 0.51
    assert curve.get_xdata()[-1] == 32.0


def test_arrhenius_plot_with_its_band():
    ax = Figure().subplots()
    temperature = jnp.asarray([295.15, 350.0, 420.0, 473.15])
    D = 4.8e-6 * jnp.exp(-0.43 / (BOLTZMANN_EV * temperature))
    error = jnp.full(4, 0.1)
    fit = fit_arrhenius(temperature, D, error)
    arrhenius(ax, {"bulk": Activated(temperature, 1e2 * D), "boundary": Activated(temperature, D, error, fit)})
    assert ax.get_yscale() == "log"
    line = next(line for line in ax.get_lines() if len(line.get_xdata()) == 60)
    slope = np.polyfit(line.get_xdata(), np.log(line.get_ydata()), 1)[0]
    np.testing.assert_allclose(slope, -0.43 / BOLTZMANN_EV / 1e3, rtol=1e-6)
    assert len(ax.collections) >= 2
