"""Several craters of one sample: one simulation, one physics, and a depth scale of each crater's own."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

import npp_jax as npp
from npp_jax.files.study import load_study
from npp_jax.fitting.objective import Objective
from npp_jax.simulation.simulate import FAST

SWEEPS = Path(__file__).parents[2] / "sweeps"


def test_craters_share_a_simulation_and_not_their_depths(tmp_path: Path) -> None:
    depth = np.linspace(0.5, 150.0, 60)
    lithium = 0.5 * (1.0 + np.tanh((depth - 90.0) / 8.0))
    entries = ""
    for number, stretch in ((1, 1.0), (2, 1.05)):
        pairs = zip(stretch * depth, lithium, strict=True)
        rows = "".join(f"{x:.9g},{li:.6f},0.01,{1.0 - li:.6f},0.01\n" for x, li in pairs)
        (tmp_path / f"crater_{number}.csv").write_text("depth_nm,Li,Li_sigma,K,K_sigma\n" + rows, encoding="utf-8")
        entries += f'[[experiments]]\nname = "crater_{number}"\nfile = "{SWEEPS / "lithium_borate_K.toml"}"\n'
        entries += f'profile = "crater_{number}.csv"\n'
    study = f"""schema_version = 1
title = "Two craters"
{entries}
[[parameters]]
name = "sed_fwhm_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.15
high = 0.40
[[parameters]]
name = "depth_scale_2"
keys = ["observation.depth_scale"]
experiments = ["crater_2"]
low = 0.9
high = 1.1
[design]
kind = "sobol"
candidates = 2
"""
    (tmp_path / "study.toml").write_text(study, encoding="utf-8")
    problem = load_study(tmp_path / "study.toml").problem
    theta = jnp.asarray([0.25, 1.0 / 1.05])
    depths = []
    for measurement in problem.measurements:
        seen = problem.observation(measurement, theta)
        assert seen is not None and measurement.profile is not None
        depths.append(np.asarray(seen.true_depth(measurement.profile.depth)))
        placed = problem.experiment(measurement, theta)
        law = placed.species[0].diffusivity
        assert isinstance(law, npp.SEDDiffusivity) and isinstance(law.sed, npp.GaussianSED)
        assert float(law.sed.sed_fwhm) == 0.25
    # With its scale, the second crater is as deep as the first.
    np.testing.assert_allclose(depths[0], depths[1], rtol=1e-6)
    objective = Objective(problem, FAST)
    assert len(set(objective._alike)) == 1
