"""What public functions say to arguments that they can make nothing of: one line of their own, before they begin."""

import inspect
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from cases import base

import npp_jax
from npp_jax import tracer
from npp_jax.inference import Uncertain

FUNCTIONS = {
    name: function
    for name in npp_jax.__all__
    if callable(function := getattr(npp_jax, name)) and not inspect.isclass(function) and name != "explore"
}
X = jnp.linspace(1e-6, 60e-6, 12)
PROFILE = tracer.MeasuredProfile(X, np.linspace(0.9, 0.1, 12), 0.01)
CHAIN = tracer.chain_of_grains([1e-5, 2e-5], 1e-8, 1e-12, cells=4)
LABELS = np.repeat([[0, 1]], 4, 0).repeat(3, 1)
GRAINS = tracer.grain_map(LABELS, 1e-6)
MAP_STAGE = tracer.MapStage(100.0, 0.9, steps=3)
STAGE = tracer.DiffusionStage(10.0)
ANNEAL = tracer.Anneal(3600.0, 400.0, PROFILE)
SCAN = {"position": X, "fraction": jnp.where(X > 3e-5, 0.3, 0.1), "error": 0.01, "boundary": 3e-5, "reach": 2e-5}
ENERGY = {"temperature": [300.0, 400.0, 500.0], "D": [1e-14, 1e-13, 1e-12]}

SOUND: dict[str, dict[str, Any]] = {
    "Anneal": {"duration": 10.0, "temperature": 300.0, "profile": PROFILE},
    "ConstantSurface": {"fraction": 0.9},
    "DiffusionStage": {"duration": 10.0},
    "Fractions": {"fraction": [0.1, 0.2], "error": 0.01},
    "IsotopeCounts": {"counted": [1.0, 2.0], "other": [3.0, 4.0]},
    "MapStage": {"duration": 10.0},
    "MeasuredProfile": {"position": X, "fraction": X, "error": 0.01},
    "Specimen": {"exchanged": PROFILE, "anneals": (ANNEAL,)},
    "SurfaceExchange": {"fraction": 0.9, "k": 1e-9},
    "TracerMedium": {"faces": [0.0, 1.0, 2.0], "D": 1e-12},
    "activation": {"fit": None, "reference_temperature": 300.0},
    "cell_means": {"function": jnp.sin, "faces": jnp.linspace(0.0, 1.0, 4)},
    "chain_diffusivity": {"sizes": [1e-5, 2e-5], "permeability": 1e-8, "D_bulk": 1e-12},
    "chain_of_grains": {"sizes": [1e-5, 2e-5], "permeability": 1e-8, "D_bulk": 1e-12},
    "diffuse": {"medium": CHAIN, "initial": jnp.linspace(0.0, 1.0, 8), "stages": [STAGE]},
    "diffusion_length": {"D": 1e-12, "t": 100.0},
    "evolve_exchange_profile": {"position": X, "exchange_area": 1e-8, "areas": [1e-8]},
    "evolve_measured_profile": {
        "position": X, "measured_position": X, "measured": X, "areas": [1e-10], "left": 0.0, "right": 6e-5,
    },
    "exchange_profile": {"position": X, "area": 1e-10},
    "fit_arrhenius": ENERGY,
    "fit_boundaries": {
        "sizes": [3e-5, 3e-5], "initial": 0.05, "stages": [STAGE], "profiles": [PROFILE], "D_bulk": 1e-12,
        "permeability": 1e-8,
    },
    "fit_evolution": {
        "specimens": [tracer.Specimen(PROFILE, (ANNEAL,))], "D": 1e-13, "reference_temperature": 400.0,
    },
    "fit_permeability": {
        "grains": GRAINS, "data": tracer.Fractions(np.full(GRAINS.shape, 0.3), 0.01), "D_bulk": 1e-13, "initial": 0.1,
        "stages": (MAP_STAGE,), "guess": 1e-8,
    },
    "fit_profile": {"profile": PROFILE, "start": 1e-13},
    "grain_map": {"labels": LABELS, "pixel_size": 1e-6},
    "haven_ratio": {"tracer": Uncertain(X, X), "conductivity": Uncertain(X, X)},
    "isotope_fraction": {"counts_6": [10.0], "counts_7": [90.0]},
    "line_scan": {
        "map_6": np.ones((6, 6)), "map_7": np.ones((6, 6)), "start": (0.0, 0.0), "end": (0.0, 4e-6),
        "pixel_size": 1e-6, "width": 3e-6, "interval": 1e-6,
    },
    "measure_step": SCAN,
    "permeability_from_series": {"D_eff": 1e-13, "D_bulk": 1e-12, "grain_size": 1e-5},
    "permeability_of_step": {"measured": tracer.measure_step(**SCAN), "D_bulk": Uncertain(X[0], X[0])},
    "profile_at": {"medium": CHAIN, "fraction": jnp.linspace(0.0, 1.0, 8), "position": [1e-6]},
    "series_diffusivity": {"D_bulk": 1e-12, "permeability": 1e-8, "grain_size": 1e-5},
    "simulate_map": {
        "grains": GRAINS, "D_bulk": 1e-14, "permeability": 1e-8, "initial": 0.1, "stages": (MAP_STAGE,),
    },
    "voronoi_polycrystal": {"extent": (1e-5, 1e-5), "grain_size": 3e-6, "seed": 0},
}  # fmt: skip
"""A sound call of each public name of the tracers: what it needs, and nothing else."""

WITHOUT_ARGUMENTS = {"ArrheniusFit", "Closed", "GrainMap", "TracerFit", "closed_forms"}
"""What is made by other names, and a module."""

FORMS = {
    name: dict.fromkeys(inspect.signature(form).parameters, 1e-6)
    for name, form in inspect.getmembers(tracer.closed_forms, inspect.isfunction)
    if form.__module__ == tracer.closed_forms.__name__ and name[0] != "_" and name != "exchange_roots"
}

SIGNED = {"x", "position", "measured_position", "fraction", "measured", "initial", "boundary", "left", "right",
          "start", "end", "labels", "faces"}  # fmt: skip
"""What may be negative: places, and what noise and normalisation lead below zero."""


def numbers(value: Any) -> bool:
    """Whether a sound value is a number or an array of numbers."""
    if isinstance(value, Uncertain):
        return False
    try:
        return np.asarray(value).dtype.kind in "if"
    except ValueError:
        return False


CALLS = [(f"tracer.{name}", getattr(tracer, name), sound) for name, sound in SOUND.items()]
CALLS += [(f"closed_forms.{name}", getattr(tracer.closed_forms, name), sound) for name, sound in FORMS.items()]
WRONG = [(where, function, sound, name, None) for where, function, sound in CALLS for name in sound]
for where, function, sound in CALLS:
    for name, value in sound.items():
        if numbers(value):
            kinds = [np.zeros(0), np.nan * np.asarray(value)] + ([] if name in SIGNED else [-1 - np.asarray(value)])
            WRONG += [(where, function, sound, name, wrong) for wrong in kinds]
        elif isinstance(value, list | tuple):
            WRONG += [(where, function, sound, name, ()), (where, function, sound, name, [3.0])]


@pytest.fixture(autouse=True)
def unchecked() -> Iterator[None]:
    """As users call: the tests check types as well, and would refuse first."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def told(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> str:
    """The message of a call that must fail where the project itself raises, or where a path is wanted."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(*args, **kwargs)
    last = traceback.extract_tb(caught.tb)[-1]
    own = f"{os.sep}npp_jax{os.sep}" in last.filename and "raise" in (last.line or "")
    message = str(caught.value)
    assert (own or "os.PathLike" in message) and "\n" not in message, message
    return message


def test_each_public_name_of_the_tracers_has_a_sound_call():
    assert set(tracer.__all__) - WITHOUT_ARGUMENTS == set(SOUND)


@pytest.mark.parametrize(
    ("where", "function", "sound", "name", "wrong"),
    WRONG,
    ids=[f"{case[0]}({case[3]}={np.ravel(case[4])[:1] if case[4] is not None else None})" for case in WRONG],
)
def test_tracers_refuse(where: str, function: Callable[..., Any], sound: dict[str, Any], name: str, wrong: Any):
    told(function, **{**sound, name: wrong})


@pytest.mark.parametrize("wrong", [None, [], float("nan")], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_what_is_not_theirs(name: str, wrong: Any):
    needed = [p for p in inspect.signature(FUNCTIONS[name]).parameters.values() if p.default is p.empty]
    told(FUNCTIONS[name], *[wrong for _ in needed])


@pytest.mark.parametrize("function", [npp_jax.simulate, npp_jax.simulate_to_target])
def test_a_setting_by_its_name_is_refused(function: Callable[..., Any]):
    assert "npp.FAST and npp.ACCURATE" in told(function, base(), "fast")


def test_one_temperature_has_no_energy():
    assert "two different values" in told(tracer.fit_arrhenius, [300.0, 300.0], [1e-14, 2e-14], 0.1)
    assert told(tracer.fit_arrhenius, [300.0, 400.0], [1e-14, -2e-14]) == "D must be positive and finite, got -2e-14"


def test_a_step_needs_points_on_both_sides():
    assert "either side" in told(tracer.measure_step, **{**SCAN, "boundary": 1e-3})


def test_a_fraction_is_left_out_by_an_infinite_error_alone():
    assert tracer.Fractions([0.1, np.nan], [0.01, np.inf]).points() == 1
    assert "fraction must be finite" in told(tracer.Fractions, [0.1, np.nan], 0.01)
