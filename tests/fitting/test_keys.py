"""Every continuous input of an experiment file is a key, and a value that is placed does what it does in the file."""

import copy
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import jax
import numpy as np
import pytest
from pydantic import BaseModel

from npp_jax.files import parse_experiment
from npp_jax.files.experiment_tables import ExperimentTable
from npp_jax.fitting import Measurement, Problem, known_keys, place, value_of
from npp_jax.inference import Parameter, ParameterError
from npp_jax.physics import keys

IONS: list[dict[str, Any]] = [
    {
        "name": "Li",
        "bulk_fraction": 0.6,
        "diffusivity": {
            "law": "sed",
            "conductivity_S_m": 1e-7,
            "sed_fwhm_eV": 0.2,
            "vacancy_fraction": 0.1,
            "activation_energy_eV": 0.6,
            "reference_temperature_K": 300.0,
        },
    },
    {
        "name": "Ca",
        "charge": 2,
        "bulk_fraction": 0.4,
        "diffusivity": {
            "law": "sed",
            "conductivity_S_m": 1e-9,
            "vacancy_fraction": 0.1,
            "sed": {"kind": "mixture", "energy_eV": [0.0, 0.3], "fwhm_eV": [0.1, 0.2], "weight": [1.0, 2.0]},
        },
    },
    {"name": "K", "bulk_fraction": 0.0, "diffusivity": {"law": "constant", "D_m2_s": 1e-21}},
    {
        "name": "Rb",
        "bulk_fraction": 0.0,
        "diffusivity": {"law": "polynomial", "D_m2_s": 1e-21, "ln_D_coefficient": [1.0, -2.0], "fraction_of": "K"},
    },
    {
        "name": "Cs",
        "bulk_fraction": 0.0,
        "diffusivity": {"law": "spline", "knot_fraction": [0.0, 0.5, 1.0], "knot_D_m2_s": [1e-21, 3e-21, 1e-22]},
    },
]
INITIAL: list[dict[str, Any]] = [
    {
        "species": "K",
        "form": "gaussian",
        "position_um": 2.0,
        "width_um": 0.5,
        "peak_fraction": 0.1,
        "deep_fraction": 0.1,
    },
    {
        "species": "Rb",
        "form": "step",
        "position_um": 3.0,
        "width_um": 0.2,
        "surface_fraction": 0.1,
        "deep_fraction": 0.0,
    },
    {"species": "Cs", "form": "erfc", "width_um": 0.7, "surface_fraction": 0.2, "deep_fraction": 0.1},
]
STAGES: list[dict[str, Any]] = [
    {
        "front": "reservoir",
        "temperature_K": 350.0,
        "duration_s": 3600.0,
        "reservoir_fraction": {"Li": 0.3, "Ca": 0.3, "K": 0.5},
        "exchange_rate_m_s": 1e-12,
    },
    {
        "front": "ion-beam",
        "beam": "K",
        "temperature_K": 400.0,
        "duration_h": 2.0,
        "potential_V": 5.0,
        "potential_end_V": 9.0,
    },
    {
        "front": "ion-beam",
        "beam": "K",
        "temperature_K": 400.0,
        "duration_h": 2.0,
        "current_density_A_m2": 0.1,
        "current_density_end_A_m2": 0.2,
    },
    {"front": "ion-beam", "beam": "K", "temperature_K": 400.0, "charge_mC_cm2": 3.0, "current_density_A_m2": 0.1},
]
TABLE: dict[str, Any] = {
    "schema_version": 1,
    "sample": {"thickness_um": 100.0, "permittivity": 8.0, "bulk_density_m3": 1e28},
    "species": IONS,
    "initial": INITIAL,
    "stages": STAGES,
}
ALIASES = {
    "duration_h": "duration_s",
    "charge_mC_cm2": "charge_C_m2",
    "conductivity_S_m": "D_bulk_m2_s",
}
EXPERIMENT = parse_experiment(TABLE)


def _continuous(table: type[BaseModel], name: str = "") -> Iterator[tuple[str, str]]:
    """Table and key of each number of a file that is not an integer."""
    for key, field in table.model_fields.items():
        for kind in _kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _continuous(kind, key)
            elif kind is float:
                yield name, key


def _kinds(annotation: Any) -> Iterator[Any]:
    if not get_args(annotation) or get_origin(annotation) is None:
        yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def test_every_continuous_input_of_a_file_is_a_key():
    tables = {
        "sample": keys.SAMPLE,
        "species": keys.ION,
        "diffusivity": {**keys.ION, **{key: keys.LISTS[key] for key in ("ln_D_coefficient", "knot_D_m2_s")}},
        "initial": keys.INITIAL,
        "sed": keys.LISTS,
        "stages": {**keys.STAGE, **keys.RESERVOIR},
    }
    found = list(_continuous(ExperimentTable))
    assert {table for table, _ in found} == set(tables) and len(found) > 25
    named = {(table, f"sed_{key}" if table == "sed" else key) for table, key in found}
    lost = {(table, key) for table, key in named if key not in tables[table]}
    assert {key for _, key in lost} == set(keys.NO_KEYS)
    # And nothing else has a key, but what only a free form has.
    assert {key for table in tables.values() for key in table} - {key for _, key in named} == {"sed_slope_eV"}


def _in_file(key: str, value: float) -> dict[str, Any]:
    """The file with another value of a key."""
    table = copy.deepcopy(TABLE)
    part, *rest = key.split(".")
    if part == "sample":
        table["sample"][rest[0]] = value
    elif part == "initial":
        next(entry for entry in table["initial"] if entry["species"] == rest[0])[rest[1]] = value
    elif part == "stages":
        stage = table["stages"][int(rest[0])]
        for a, b in ALIASES.items():
            for old in {a, b} - {rest[1]} if rest[1] in (a, b) else ():
                stage.pop(old, None)
        if rest[1] == "reservoir_fraction":
            charges = {ion["name"]: ion.get("charge", 1) for ion in table["species"]}
            fractions = stage[rest[1]]
            others = {name: c for name, c in fractions.items() if name != rest[2]}
            left = sum(charges[n] * c for n, c in fractions.items()) - charges[rest[2]] * value
            factor = left / sum(charges[n] * c for n, c in others.items())
            stage[rest[1]] = {rest[2]: value, **{name: c * factor for name, c in others.items()}}
        else:
            stage[rest[1]] = value
    else:
        ion = next(ion for ion in table["species"] if ion["name"] == part)
        if rest[0] == "bulk_fraction":
            ion[rest[0]] = value
            next(i for i in table["species"] if i["name"] == {"Li": "Ca", "Ca": "Li"}[part])[rest[0]] = 1.0 - value
            old, new = (sum(i.get("charge", 1) * i["bulk_fraction"] for i in ions) for ions in (IONS, table["species"]))
            stage = table["stages"][0]
            stage["reservoir_fraction"] = {n: c * new / old for n, c in stage["reservoir_fraction"].items()}
        elif len(rest) > 1:
            law, name = ion["diffusivity"], rest[0]
            (law if name in law else law["sed"])[name if name in law else name.removeprefix("sed_")][int(rest[1])] = (
                value
            )
        else:
            if rest[0] in ("D_bulk_m2_s", "conductivity_S_m"):
                ion["diffusivity"].pop("conductivity_S_m")
            ion["diffusivity"][rest[0]] = value
    return table


@pytest.mark.parametrize("key", known_keys(EXPERIMENT))
def test_what_is_placed_does_what_it_does_in_the_file(key: str):
    value = 1.1 * float(value_of(EXPERIMENT, key)) or 0.05
    there, placed = parse_experiment(_in_file(key, value)), place(EXPERIMENT, {key: value})
    for a, b in zip(jax.tree.leaves(there), jax.tree.leaves(placed), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)
    np.testing.assert_allclose(value_of(placed, key), value, rtol=1e-12)


def test_keys_are_placed_in_any_order():
    values = {"Li.conductivity_S_m": 2e-7, "sample.bulk_density_m3": 2e28, "Li.reference_temperature_K": 320.0}
    there, back = place(EXPERIMENT, values), place(EXPERIMENT, dict(reversed(values.items())))
    for a, b in zip(jax.tree.leaves(there), jax.tree.leaves(back), strict=True):
        np.testing.assert_array_equal(a, b)
    # Nernst–Einstein, by hand: D = σ kT/(n e²).
    expected = 2e-7 * 1.380649e-23 * 320.0 / (0.6 * 2e28 * 1.602176634e-19**2)
    np.testing.assert_allclose(there.species[0].diffusivity.D_bulk, expected, rtol=1e-10)


def _problem(*parameters: tuple[str, str, float, float]) -> Problem:
    made = tuple(Parameter(name, (key,), low, high) for name, key, low, high in parameters)
    return Problem((Measurement("a", EXPERIMENT),), made)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Li.vacancy_fraction", "Li.vacancy_fraction"),
        ("Li.D_bulk_m2_s", "Li.conductivity_S_m"),
        ("stages.1.duration_s", "stages.1.duration_h"),
        ("stages.3.charge_C_m2", "stages.3.charge_mC_cm2"),
        ("stages.0.reservoir_fraction.K", "stages.0.reservoir_fraction.K"),
    ],
)
def test_two_parameters_of_one_number_are_refused(first: str, second: str):
    with pytest.raises(ParameterError, match=f"'x' .{first}. and 'y' .{second}. set the same number of 'a'") as caught:
        _problem(("x", first, 0.1, 0.2), ("y", second, 0.1, 0.2))
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match="'z'"):
        Problem((Measurement("a", EXPERIMENT),), (Parameter("z", (first, second), 0.1, 0.2),))


def test_one_number_in_two_experiments_may_have_two_parameters():
    made = [Parameter(n, ("Li.vacancy_fraction",), 0.1, 0.2, experiments=(n,)) for n in ("a", "b")]
    problem = Problem((Measurement("a", EXPERIMENT), Measurement("b", EXPERIMENT)), tuple(made))
    assert len(problem.parameters) == 2


def test_entries_of_one_list_are_different_numbers():
    assert _problem(("x", "stages.1.potential_V", 1.0, 2.0), ("y", "stages.1.potential_end_V", 1.0, 2.0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([("K", 0.1, 1.5)], "add up to 1.5, more than the sum of all reservoir_fraction, 1.4"),
        ([("K", 0.1, 0.8), ("Ca", 0.1, 0.4)], "times their charge numbers add up to 1.6"),
        ([("K", 0.1, 0.2), ("Ca", 0.1, 0.2), ("Li", 0.1, 0.2)], "all of them are parameters"),
    ],
)
def test_fractions_leave_room_for_the_others(parameters, message: str):
    with pytest.raises(ParameterError, match=message):
        _problem(*((f"{n}_share", f"stages.0.reservoir_fraction.{n}", low, high) for n, low, high in parameters))


def test_an_input_that_is_no_key_says_why():
    with pytest.raises(ParameterError, match="output points say where"):
        place(EXPERIMENT, {"stages.0.output_times_s": 1.0})
