"""Experiment files: everything valid is read, everything wrong ends in one clear line."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cases import BASE

from npp_jax.files import ConfigError, experiment_schema, load_experiment, parse_experiment
from npp_jax.simulation.supported import Unsupported, check_supported

SWEEPS = Path(__file__).parents[2] / "sweeps"


@pytest.mark.parametrize("case", [f"p{k}" for k in range(1, 9)])
def test_reads_reference_files(reference: Callable[[str], Path], case: str) -> None:
    path = reference(case) / "case.toml"
    table = tomllib.loads(path.read_text())
    experiment = load_experiment(path)
    assert [s.name for s in experiment.species] == [s["name"] for s in table["species"]]
    assert float(experiment.sample.thickness) == pytest.approx(table["sample"]["thickness_um"] * 1e-6)
    assert float(experiment.stages[-1].duration) == table["stages"][-1]["duration_s"]


@pytest.mark.parametrize("ion", ["K", "Rb", "Cs"])
def test_reads_ready_studies(ion: str) -> None:
    experiment = load_experiment(SWEEPS / f"lithium_borate_{ion}.toml")
    # Nernst–Einstein at 350 K and 1e-9 S/cm: 1.345e-14 cm²/s.
    assert float(experiment.species[0].diffusivity.D_bulk) == pytest.approx(1.345e-18, rel=1e-3)


def test_a_conductivity_is_that_of_its_reference_temperature():
    found = []
    for first in (300.0, 350.0, 400.0):
        table = copy.deepcopy(BASE)
        law = table["species"][0]["diffusivity"]
        law |= {"conductivity_S_m": 1e-7, "activation_energy_eV": 0.6, "reference_temperature_K": 300.0}
        law.pop("D_bulk_m2_s", None)
        table["stages"][0]["temperature_K"] = first
        found.append(float(parse_experiment(table).species[0].diffusivity.D_bulk))
    assert found[0] == found[1] == found[2]
    carriers = BASE["sample"]["bulk_density_m3"] * 1.602176634e-19**2
    assert found[0] == pytest.approx(1e-7 * 1.380649e-23 * 300.0 / carriers, rel=1e-9)


@pytest.mark.parametrize("form", ["step", "gaussian"])
def test_a_start_behind_the_sample_is_refused(form: str):
    table = copy.deepcopy(BASE)
    depth = 2.0 * table["sample"]["thickness_um"]
    entry = {"species": table["species"][1]["name"], "form": form, "position_um": depth, "width_um": 1.0}
    own = {"step": {"surface_fraction": 0.1, "deep_fraction": 0.0}, "gaussian": {"peak_fraction": 0.1}}
    table["initial"] = [entry | own[form]]
    with pytest.raises(ConfigError, match=rf"initial\[0\]\.position_um = {depth:g}: the sample ends at {depth / 2:g}"):
        parse_experiment(table)


def test_a_reservoir_may_hold_more_ions_than_a_bulk_of_divalent_ones():
    table = copy.deepcopy(BASE)
    table["species"][0] |= {"charge": 2}
    table["stages"] = [{"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4}]
    names = [ion["name"] for ion in table["species"]]
    for fraction, allowed in ((1.4, True), (1.5, False)):
        table["stages"][0]["reservoir_fraction"] = dict(zip(names, (0.3, fraction), strict=True))
        experiment = parse_experiment(table)
        if allowed:
            check_supported(experiment)
            continue
        with pytest.raises(Unsupported, match=r"must carry the charge of the bulk, 2, got 2\.1"):
            check_supported(experiment)


def _at(*keys: object) -> Callable[[dict], dict]:
    def find(table: dict) -> dict:
        for key in keys:
            table = table[key]
        return table

    return find


WRONG = {
    "missing": (_at("sample"), {"permittivity": None}, "sample.permittivity: missing"),
    "unit": (_at("sample"), {"thickness_um": None, "thickness_mm": 0.5}, "did you mean 'thickness_um'"),
    "negative": (_at("sample"), {"thickness_um": -1.0}, "sample.thickness_um = -1.0"),
    "vacancies": (_at("species", 0, "diffusivity"), {"vacancy_fraction": 1.0}, "greater than 0 and less than 1"),
    "truth": (_at("sample"), {"thickness_um": True}, "sample.thickness_um = true: a number is needed"),
    "quotes": (_at("sample"), {"thickness_um": "500"}, "sample.thickness_um = '500': a number is needed"),
    "one stage": (_at(), {"stages": {"front": "closed"}}, "write [[stages]] in double brackets"),
    "two samples": (_at(), {"sample": [{}]}, "write [sample] in single brackets"),
    "study": (_at(), {"experiments": []}, "this is a study file, for `npp-jax sweep`"),
    "tracer": (_at(), {"kind": "map"}, "this is a tracer study, for `npp-jax tracer`"),
    "stranger": (_at("stages", 0), {"beam": "Rb"}, "known are Li, K"),
    "zero D": (_at("species", 1, "diffusivity"), {"D_m2_s": 0.0}, "greater than 0"),
    "NaN": (_at("species", 1, "diffusivity"), {"D_m2_s": float("nan")}, "finite"),
    "potential": (_at("stages", 0), {"potential_V": 1e6}, "less than or equal to 100000"),
    "no time": (_at("stages", 0), {"charge_C_m2": None, "duration_s": 0.0}, "greater than 0"),
    "two ends": (_at("stages", 0), {"duration_s": 10.0}, "exactly one end"),
    "front": (_at("stages", 0), {"front": "ionbeam"}, "'ion-beam'"),
    "no bulk": (_at("species", 0), {"bulk_fraction": 0.5}, "add up to 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line(name: str) -> None:
    find, changes, expected = WRONG[name]
    table = copy.deepcopy(BASE)
    for key, value in changes.items():
        if value is None:
            del find(table)[key]
        else:
            find(table)[key] = value
    with pytest.raises(ConfigError) as caught:
        parse_experiment(table)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trace_file(tmp_path: Path) -> None:
    table = copy.deepcopy(BASE)
    stage = table["stages"][0]
    del stage["potential_V"]
    stage["potential_trace"] = "trace.csv"
    with pytest.raises(ConfigError, match=r"trace\.csv: No such file"):
        parse_experiment(table, folder=tmp_path)
    (tmp_path / "trace.csv").write_text("time_s,potential_V\n0,5\n100,10\n")
    drive = parse_experiment(table, folder=tmp_path).stages[0].front.potential
    assert drive.value.tolist() == [5.0, 10.0]
    (tmp_path / "trace.csv").write_text("time_s,potential_V\n0,5\n0,x\n")
    with pytest.raises(ConfigError, match="line 3, column 'potential_V': 'x' is not a number"):
        parse_experiment(table, folder=tmp_path)
    (tmp_path / "trace.csv").write_text("time_s,potential_V\n0,5\n10,2e5\n")
    with pytest.raises(ConfigError, match="potential_V = 200000: must be greater than 0"):
        parse_experiment(table, folder=tmp_path)


def test_schema_names_every_table() -> None:
    assert {"SampleTable", "StageTable", "DiffusivityTable"} <= set(experiment_schema()["$defs"])
