"""Records in study files: tables, units, noise, what is refused in one line, and what makes a sweep another one."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.files import ConfigError
from npp_jax.files.study import load_study
from npp_jax.observe import gathered, scatter

EXPERIMENT = """schema_version = 1
[sample]
thickness_um = 500.0
permittivity = 9.0
bulk_density_m3 = 1.4e28
[[species]]
name = "Li"
bulk_fraction = 1.0
diffusivity = { law = "constant", D_m2_s = 1e-18, activation_energy_eV = 0.7, reference_temperature_K = 350.0 }
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
{records}
[[parameters]]
name = "D"
keys = ["K.D_m2_s"]
low = 1e-22
high = 1e-20
scale = "log"
"""
CURRENT = 'current = { file = "j.csv", relative_sigma = 0.01 }'


def write(folder: Path, records: str, table: str = "") -> Path:
    """A study with its experiment and a current of ten points."""
    rows = "".join(f"{k},{200.0 - k}\n" for k in range(1, 11))
    (folder / "j.csv").write_text(table or f"time [h],j [nA/cm2]\n{rows}", encoding="utf-8")
    (folder / "glass.toml").write_text(EXPERIMENT, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(STUDY.format(records=records), encoding="utf-8")
    return path


def test_all_kinds_with_their_units(tmp_path: Path):
    (tmp_path / "q.csv").write_text("t [min],q [mC/cm2]\n" + "".join(f"{k},{k}\n" for k in range(1, 9)))
    records = f"""{CURRENT.replace("0.01", "0.01, sigma_A_m2 = 1e-5, gain_sigma = 0.02, last_time_s = 3e4")}
charge = {{ file = "q.csv", sigma_C_m2 = 0.5 }}
activation_energy = {{ value_eV = 0.7, sigma_eV = 0.02 }}
[[experiments.conductivity]]
temperature_K = 350.0
value_S_m = 1e-7
relative_sigma = 0.1
[[experiments.conductivity]]
temperature_K = 370.0
value_S_m = 3e-7
sigma_S_m = 1e-8
"""
    study = load_study(write(tmp_path, records))
    current, charge, conductivity, energy = study.problem.measurements[0].records
    assert np.asarray(current.at) == pytest.approx(3600.0 * np.arange(1, 9))
    assert np.asarray(current.value) == pytest.approx(1e-5 * (200.0 - np.arange(1, 9)))
    assert np.asarray(current.sigma) == pytest.approx(np.hypot(0.01 * np.asarray(current.value), 1e-5))
    assert current.gain_sigma == 0.02 and current.span is None
    assert float(charge.at[0]) == 60.0 and float(charge.value[0]) == pytest.approx(10.0)
    assert np.asarray(conductivity.sigma) == pytest.approx([1e-8, 1e-8])
    assert (energy.quantity, float(energy.value[0])) == ("activation_energy", 0.7)
    # Files of numbers make a sweep another one by what they hold.
    before = study.identity
    (tmp_path / "q.csv").write_text("t [min],q [mC/cm2]\n" + "".join(f"{k},{k + 1}\n" for k in range(1, 9)))
    assert before.files["experiments[0].charge.file"] == tmp_path / "q.csv"
    assert load_study(tmp_path / "study.toml").identity.text != before.text


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ('current = { file = "none.csv", relative_sigma = 0.01 }', "current.file = 'none.csv': No such file"),
        ('current = { file = "j.csv" }', "relative_sigma, sigma_A_m2 or estimate_sigma = true is needed"),
        (CURRENT.replace("0.01", "0.01, estimate_sigma = true"), "estimate_sigma takes no relative_sigma"),
        (CURRENT.replace("0.01", "0.01, first_time_s = 3e4"), "2 points lie between first_time_s and last_time_s"),
        ("charge = { value_C_m2 = 200.0, sigma_C_m2 = 1.0, output = 4 }", "output = 4: the experiment has 1"),
        ("charge = { sigma_C_m2 = 1.0 }", "either file or value_C_m2 is needed"),
        ('potential = { file = "j.csv", sigma_V = 0.1 }', "needs the columns time_s and potential_V"),
        ("conductivity = [{ temperature_K = 350.0, value_S_m = 1e-7 }]", "relative_sigma or sigma_S_m is needed"),
        (f"{CURRENT}\ndetection_limits = {{ K = 0.01 }}", None),
    ],
)
def test_what_is_refused_in_one_line(records: str, told: str | None, tmp_path: Path):
    path = write(tmp_path, records)
    if told is None:
        load_study(path)
        return
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_noise_is_estimated_from_the_scatter():
    rng = np.random.default_rng(1)
    course = 100.0 * np.exp(-np.linspace(0.0, 2.0, 4000))
    noisy = course + 0.3 * rng.standard_normal(4000)
    noisy[::500] += 40.0
    assert scatter(noisy) == pytest.approx(0.3, rel=0.05)


def test_dense_records_become_means():
    at, value = np.arange(1000.0), np.linspace(0.0, 5.0, 1000)
    centre, mean, sigma, span = gathered(at, value, np.full(1000, 0.1), 50)
    assert len(centre) == 50 and span is not None
    assert mean == pytest.approx(np.interp(centre, at, value))
    # Both ends count half.
    assert sigma == pytest.approx(np.full(50, 0.1 * np.sqrt(18.5) / 19.0)) and span == pytest.approx(np.full(50, 19.0))
    assert gathered(at, value, value, 1000)[3] is None


def test_means_are_those_over_their_times_however_the_spacing_changes():
    at = np.concatenate([np.arange(0.0, 100.0, 1.0), np.arange(100.0, 1000.0, 9.0)])
    centre, mean, _, span = gathered(at, at**2, np.ones(len(at)), 20)
    true = centre**2 + span**2 / 12.0
    # The straight lines between points are high by a sixth of the square of their distance.
    assert np.all((mean >= true) & (mean <= true + 9.0**2 / 6.0 + 1e-6))


def test_no_mean_reaches_over_a_jump_or_a_pause():
    at = np.concatenate([np.arange(0.0, 50.0), np.arange(400.0, 475.0)])
    value = np.where(at >= 420.0, 5.0, 1.0)
    centre, mean, sigma, span = gathered(at, value, np.full(125, 0.1), 5, (420.0, 474.0, 9e9))
    assert span is not None and set(mean.round(9)) == {1.0, 5.0}
    assert centre == pytest.approx([12.0, 37.0, 409.5, 422.0, 437.0, 461.5, 474.0])
    assert span == pytest.approx([24.0, 24.0, 19.0, 4.0, 24.0, 23.0, 0.0]) and sigma[-1] == pytest.approx(0.1)
