"""Depth resolutions of single ions in study files: as told, as parameters, written back, and what is refused."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import npp_jax as npp
from npp_jax.files.study_out import study_files
from npp_jax.fitting import Objective

EXPERIMENT = """schema_version = 1
[sample]
thickness_um = 500.0
permittivity = 9.0
bulk_density_m3 = 1.4e28
[[species]]
name = "Li"
bulk_fraction = 1.0
diffusivity = { law = "constant", D_m2_s = 1e-18 }
[[species]]
name = "K"
bulk_fraction = 0.0
diffusivity = { law = "constant", D_m2_s = 1e-21 }
[[stages]]
front = "ion-beam"
beam = "K"
temperature_K = 350.0
potential_V = 10.0
charge_mC_cm2 = 20.0
"""
STUDY = """schema_version = 1
[[experiments]]
name = "glass"
file = "glass.toml"
profile = "profile.csv"
response = { kind = "gaussian", sigma_nm = { K = 1.5, Li = 3.0 } }
[[parameters]]
name = "sigma_K_nm"
keys = ["observation.K.response.sigma_nm"]
low = 0.5
high = 5.0
"""


def write(folder: Path, old: str = "", new: str = "") -> Path:
    """A study with its experiment and a profile of ten points."""
    rows = "".join(f"{10 * k},{0.1 * k},0.01,{1.0 - 0.1 * k},0.01\n" for k in range(10))
    (folder / "profile.csv").write_text(f"depth_nm,Li,Li_sigma,K,K_sigma\n{rows}", encoding="utf-8")
    (folder / "glass.toml").write_text(EXPERIMENT, encoding="utf-8")
    assert old in STUDY
    (folder / "study.toml").write_text(STUDY.replace(old, new, 1), encoding="utf-8")
    return folder / "study.toml"


def test_a_length_of_each_ion_is_read_varies_and_is_written_back(tmp_path: Path):
    problem = npp.load_study(write(tmp_path)).problem
    (measurement,) = problem.measurements
    assert measurement.profile is not None and measurement.profile.species == ("Li", "K")
    assert float(measurement.value_of("observation.Li.response.sigma_nm")) == 3.0
    seen = problem.observation(measurement, jnp.asarray([2.5]))
    np.testing.assert_array_equal(seen.response.sigma, [3.0, 2.5])
    assert not problem.resolved(measurement) and Objective(problem, npp.FAST)._responses == [None]
    weight = np.asarray(measurement.profile.weight)
    files = study_files(
        problem, [2.5], name="again", title="", profiles={}, records={}, weights=[weight],
        fit={"model": "electroneutral", "setting": "fast"},
    )  # fmt: skip
    (tmp_path / "out").mkdir()
    for name, content in files.items():
        (tmp_path / "out" / name).write_bytes(content)
    (again,) = npp.load_study(tmp_path / "out" / "again.toml").problem.measurements
    np.testing.assert_array_equal(again.observation.response.sigma, [3.0, 2.5])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Li = 3.0", "Rb = 3.0", "glass: response: sigma_nm is told of K, Rb; the ions are Li, K"),
        ("K = 1.5, ", "", "glass: response: sigma_nm is told of Li; the ions are Li, K"),
        # A place has the keys of the file alone, not the types of which its value may be.
        ("Li = 3.0", "Li = -3.0", "response.sigma_nm.Li = -3.0: must be greater than or equal to 0"),
        ("{ K = 1.5, Li = 3.0 }", "-1.5", "response.sigma_nm = -1.5: must be greater than or equal to 0"),
        ("{ K = 1.5, Li = 3.0 }", "[1.5]", "response.sigma_nm = a list: a finite number is needed, greater than or"),
        ("{ K = 1.5, Li = 3.0 }", "1.5", "did you mean 'observation.response.sigma_nm'?"),
        ("observation.K.", "observation.", "did you mean 'observation.K.response.sigma_nm'?"),
    ],
)
def test_what_is_refused_in_one_line(old: str, new: str, told: str, tmp_path: Path):
    with pytest.raises(npp.ConfigError) as caught:
        npp.load_study(write(tmp_path, old, new))
    assert told in str(caught.value) and "\n" not in str(caught.value)
