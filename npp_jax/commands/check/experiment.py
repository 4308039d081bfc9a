"""`npp-jax check` for an experiment file: what it says, what has no effect, and where it starts."""

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from npp_jax.commands.check.checked import Checked, unit_shown
from npp_jax.commands.simulate import run_simulation
from npp_jax.figures.check import figure_experiment
from npp_jax.files import load_experiment
from npp_jax.files.experiment import files_of
from npp_jax.fitting import replaced_depth
from npp_jax.fitting.parameters import known_keys, value_of
from npp_jax.physics import Experiment, Species
from npp_jax.physics.diffusivity import ConstantDiffusivity, MutualDiffusivity, SEDDiffusivity
from npp_jax.physics.experiment import named_species
from npp_jax.physics.keys import allowed_range, name_of, unit_at_end
from npp_jax.physics.limits import Limits
from npp_jax.physics.protocol import IonBeamCurrent, IonBeamPotential, Reservoir, Stage
from npp_jax.simulation.describe import line
from npp_jax.simulation.remarks import causes
from npp_jax.simulation.simulate import Model
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FREEZING = 273.15
"""Zero of the Celsius scale [K]; ions hardly move in a glass below."""
_HIGHEST = 5e3
"""Highest potential of a beam or of thermal poling that is usual [V]."""

MODELS: tuple[Model, ...] = ("electroneutral", "full")


def check_experiment(path: Path) -> Checked:
    """Read an experiment file, tell what it says, and simulate it coarsely.

    Raises
    ------
    ConfigError, Unsupported
        The file is wrong, or neither model can simulate it.
    """
    experiment = load_experiment(path)
    refused = {model: text for model in MODELS if (text := _refusal(experiment, model)) is not None}
    model: Model = "electroneutral" if "electroneutral" not in refused else "full"
    if len(refused) == len(MODELS):
        raise Unsupported(refused["electroneutral"])
    lines = [f"experiment {path}: {experiment.title}", *describe_experiment(experiment), key_table(experiment).text()]
    lines += [f"model {model} cannot simulate it: {text}" for model, text in refused.items()]
    solution = run_simulation(experiment, model=model, setting="fast")
    status = Status(int(solution.report.status))
    lines.append(f"start ({model}, fast): {line(solution)}")
    warnings = list(experiment_warnings(experiment))
    code = 0
    if status is not Status.DONE:
        warnings += [f"the simulation with the setting fast: {STATUS_ADVICE[status]}", *causes(experiment, solution)]
        code = 4 if status is Status.NOT_FINITE else 3

    def draw() -> "Figure":
        return figure_experiment(experiment, solution)

    return Checked(lines, warnings, (path, *files_of(path)), draw, code)


def describe_experiment(experiment: Experiment) -> Iterator[str]:
    """Sample, ions and stages, one a line."""
    sample = experiment.sample
    yield (
        f"  sample: {float(sample.thickness) * 1e6:g} µm, permittivity {float(sample.permittivity):g}, "
        f"{float(sample.bulk_density):.4g} mobile ions/m³"
    )
    temperature = experiment.stages[0].temperature
    for ion in experiment.species:
        yield f"  {_ion(experiment, ion, float(temperature))}"
    for name, form in (experiment.initial or {}).items():
        ends = np.asarray(form.average(jnp.asarray([0.0, 1e-3, 0.999, 1.0]) * sample.thickness))[[0, 2]]
        kind = type(form).__name__.removeprefix("Initial").lower()
        yield f"  {name} at the start: {kind}, {ends[0]:.4g} at the surface, {ends[1]:.4g} at the back"
    for k, stage in enumerate(experiment.stages):
        yield f"  stage {k}: {_stage(stage)}"
    found = replaced_depth(experiment)
    if found is not None:
        most = "at most " if found[1] else ""
        yield f"  the charge passed is enough for {most}{found[0] * 1e9:.4g} nm of complete replacement"


def _ion(experiment: Experiment, ion: Species, temperature: float) -> str:
    law = ion.diffusivity
    head = f"{ion.name}: charge {ion.charge}, {float(ion.bulk_fraction):g} of the bulk, D"
    if isinstance(law, MutualDiffusivity):
        return f"{head} that of {law.partner}: interdiffusion by one mutual coefficient"
    at = law.at(jnp.asarray(temperature))
    if isinstance(law, ConstantDiffusivity):
        return f"{head} {float(at(jnp.ones(1))[0]):.4g} m²/s at {temperature:g} K, constant"
    if not isinstance(law, SEDDiffusivity):
        D = np.asarray(at(jnp.linspace(0.0, 1.0, 201)))
        over = ion.name if ion.fraction_of is None else ion.fraction_of
        return f"{head} from {D.min():.4g} to {D.max():.4g} m²/s over the fraction of {over}, at {temperature:g} K"
    ends = [float(at(jnp.asarray([x]))[0]) for x in (1.0, 0.1)]
    return (
        f"{head} {ends[0]:.4g} m²/s in the bulk and {ends[1]:.3g} at a tenth of it ({temperature:g} K), site energies, "
        f"{float(law.vacancy_fraction):.3g} of them empty"
    )


def _stage(stage: Stage) -> str:
    front = stage.front
    words = {IonBeamPotential: "beam, potential", IonBeamCurrent: "beam, current", Reservoir: "reservoir"}
    kind = words.get(type(front), type(front).__name__.lower())
    named = ", ".join(sorted(named_species(front)))
    if stage.charge is not None:
        end = f"{float(stage.charge):.5g} C/m² = {0.1 * float(stage.charge):.5g} mC/cm²"
    else:
        seconds = float(np.asarray(stage.duration))
        end = f"{seconds:.6g} s = {seconds / 3600.0:.4g} h"
    return f"{kind}{f' of {named}' if named else ''}, {float(stage.temperature):g} K, to {end}"


def key_table(experiment: Experiment) -> TextTable:
    """Every number that may be a parameter of a study: key, value, unit, range."""
    rows = []
    for key in known_keys(experiment):
        value = float(np.asarray(value_of(experiment, key)))
        unit = unit_shown(unit_at_end(name_of(key))[1])
        rows.append((key, f"{value:.6g}", unit, _range(allowed_range(key))))
    return TextTable("keys, which parameters of a study may name", ("key", "value", "unit", "allowed"), tuple(rows))


def _range(limits: Limits) -> str:
    ends = (("> " if limits.low_open else "≥ ", limits.low), ("< " if limits.high_open else "≤ ", limits.high))
    return ", ".join(f"{sign}{end:g}" for sign, end in ends if math.isfinite(end)) or "any"


def experiment_warnings(experiment: Experiment, recorded: Collection[float] = ()) -> Iterator[str]:
    """Inputs that have no effect, or that no experiment of the kind has.

    Parameters
    ----------
    experiment
        The experiment.
    recorded
        Temperatures at which something was recorded beside its stages. [K]
    """
    brought = set[str](experiment.initial or ()).union(*(named_species(stage.front) for stage in experiment.stages))
    temperatures = {float(stage.temperature) for stage in experiment.stages} | set(recorded)
    for ion in experiment.species:
        left = experiment.initial is not None and all(
            other.name in experiment.initial for other in experiment.species if float(np.max(other.bulk_fraction)) > 0.0
        )
        if float(np.max(np.asarray(ion.bulk_fraction))) == 0.0 and ion.name not in brought and not left:
            yield f"{ion.name} is not in the bulk, and no stage brings it: it plays no part"
        law = getattr(ion.diffusivity, "arrhenius", None)
        if law is not None and temperatures == {float(law.reference_temperature)}:
            told = f"every stage is at its reference temperature, {float(law.reference_temperature):g} K"
            yield f"activation_energy_eV of {ion.name} has no effect: {told}"
    yield from _odd_stages(experiment)
    found = replaced_depth(experiment)
    thickness = float(experiment.sample.thickness)
    if found is not None and not found[1] and found[0] > thickness:
        yield (
            f"the charge passed would replace {found[0] * 1e6:.3g} µm, the sample has {thickness * 1e6:.3g} µm: "
            "are charge, density and thickness right?"
        )


def _odd_stages(experiment: Experiment) -> Iterator[str]:
    """Temperatures and potentials that look like numbers of another unit."""
    for k, stage in enumerate(experiment.stages):
        temperature = float(stage.temperature)
        if temperature < _FREEZING:
            yield (
                f"stage {k} is at {temperature:g} K, colder than ice: is that {temperature:g} °C, which is "
                f"{temperature + _FREEZING:g} K?"
            )
        drive = getattr(stage.front, "potential", None)
        highest = 0.0 if drive is None else float(np.max(np.abs(np.asarray(drive.value))))
        if highest > _HIGHEST:
            yield f"stage {k} has {highest:g} V: is that {highest:g} mV, which is {1e-3 * highest:g} V?"


def _refusal(experiment: Experiment, model: Model) -> str | None:
    try:
        check_supported(experiment, model)
    except Unsupported as error:
        return str(error)
    return None
