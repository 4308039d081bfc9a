"""What a study is about: data, model, ranges, command; the same for its sweep and its fit."""

from collections.abc import Iterator, Sequence

import numpy as np

from npp_jax.commands.report.blocks import Block, Code, Section, Text
from npp_jax.files.study import Study
from npp_jax.fitting import Measurement, unit_of
from npp_jax.inference import Parameters
from npp_jax.simulation.text_table import TextTable

_WORDS = {
    "SEDDiffusivity": "distribution of site energies",
    "ConstantDiffusivity": "constant D",
    "NoResponse": "perfect",
    "IonBeamPotential": "ion beam at a potential",
    "IonBeamCurrent": "ion beam at a current",
}
"""Words for some types; others are told by their names."""


def data_section(study: Study, how: str, command: str, parameters: Parameters | None = None) -> Section:
    """Data, model and command.

    Parameters
    ----------
    study
        The study.
    how
        A sentence about equations, numbers and method.
    command
        Command, as it was typed.
    parameters
        What varied, where systematic errors of the import did as well; those of the study, if not given.
    """
    varied = study.problem.parameters if parameters is None else parameters
    more = len(varied) - len(study.problem.parameters)
    known = f", and with them {more} that the import knows with errors" if more else ""
    measurements = study.problem.measurements
    points = sum(int(np.sum(np.asarray(m.profile.weight) > 0.0)) for m in measurements if m.profile is not None)
    kind = "synthetic" if study.truth else "measured"
    plural = "s" if len(measurements) > 1 else ""
    vary = "parameter varies" if len(study.problem.parameters) == 1 else "parameters vary"
    blocks: list[Block] = [
        Text(f"{len(measurements)} experiment{plural} with {points} {kind} points; {len(study.problem.parameters)} "
             f"{vary}{known}. {how}"),
    ]  # fmt: skip
    if study.truth:
        blocks.append(
            Text("The profiles are synthetic: simulated with known parameters, which the study tells (truth).")
        )
    return Section(
        "Data, model and command",
        [
            *blocks,
            _data(study),
            TextTable(
                "Model",
                ("experiment", "title", "ions", "stages"),
                tuple((m.name, str(m.experiment.title), _ions(m), _stages(m)) for m in measurements),
            ),
            _ranges(varied),
            Code(command),
        ],
    )


def _data(study: Study) -> TextTable:
    names = study.identity.files
    rows = []
    for k, m in enumerate(study.problem.measurements):
        files = [
            names[key].name if key in names else "–" for key in (f"experiments[{k}].file", f"experiments[{k}].profile")
        ]
        if m.profile is None:
            rows.append((m.name, *files, "–", "0", "–", "–", "–", ""))
            continue
        depth = np.asarray(m.profile.depth)
        count = int(np.sum(np.asarray(m.profile.weight) > 0.0))
        noise = type(m.likelihood).__name__.removesuffix("Likelihood")
        seen = m.observation
        resolution = "perfect" if seen is None else _response(seen.response, m.profile.species)
        span = f"{depth[0]:g} … {depth[-1]:g}"
        shown = "" if m.output == -1 else str(m.output)
        rows.append((m.name, *files, ", ".join(m.profile.species), str(count), span, noise, resolution, shown))
    heads = ("experiment", "experiment file", "profile", "ions", "points", "depth / nm", "noise", "depth resolution")
    title = "Data (synthetic)" if study.truth else "Data"
    # Most profiles are of the last output point.
    return TextTable(title, (*heads, "output point"), tuple(rows)).without_empty()


def _response(response: object, species: Sequence[str]) -> str:
    name = type(response).__name__
    widths = [f"{key} {_widths(np.asarray(value), species)}" for key, value in vars(response).items()]
    return " ".join([_WORDS.get(name, name.removesuffix("Response")), ", ".join(widths)]).strip()


def _widths(width: np.ndarray, species: Sequence[str]) -> str:
    """A width, or those of the ions."""
    if not width.ndim:
        return f"{float(width):g} nm"
    return " and ".join(f"{value:g} nm ({ion})" for ion, value in zip(species, width.tolist(), strict=True))


def _ions(measurement: Measurement) -> str:
    return ", ".join(f"{ion.name} ({_word(ion.diffusivity)})" for ion in measurement.experiment.species)


def _stages(measurement: Measurement) -> str:
    def told(stage) -> Iterator[str]:
        beam = getattr(stage.front, "beam", None)
        yield f"{_word(stage.front)}{f' of {beam}' if beam else ''}"
        yield f"{float(np.max(np.asarray(stage.temperature))):g} K"
        if stage.charge is not None:
            yield f"{float(np.asarray(stage.charge)) / 10.0:.4g} mC cm⁻²"
        if stage.duration is not None:
            yield f"{float(np.asarray(stage.duration)) / 3600.0:.4g} h"

    return "; ".join(", ".join(told(stage)) for stage in measurement.experiment.stages)


def _word(part: object) -> str:
    name = type(part).__name__
    return _WORDS.get(name, name)


def _ranges(parameters: Parameters) -> TextTable:
    heads = ("parameter", "unit", "keys", "experiments", "low", "high", "scale", "prior (sigma on the scale)")
    rows = (
        (
            p.name,
            unit_of(p),
            ", ".join(p.keys),
            "all" if p.experiments is None else ", ".join(p.experiments),
            f"{p.low:.5g}",
            f"{p.high:.5g}",
            p.scale,
            "" if p.prior is None else f"{p.prior.mean:.5g} ± {p.prior.sigma:.3g}",
        )
        for p in parameters
    )
    return TextTable("Parameters that vary", heads, tuple(rows)).without_empty()
