"""The report of a fit: what was found and how sure it is, and all that belongs to it."""

from collections.abc import Iterable, Iterator, Sequence

from npp_jax.commands.fit.parts import minima_section, posterior_section, provenance_section, rivals_section
from npp_jax.commands.fit.records import fitted_records, records_section
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import warnings
from npp_jax.commands.report.blocks import Block, Drawn, Items, Page, Section, Text
from npp_jax.commands.report.provenance import Begun
from npp_jax.commands.report.study import data_section
from npp_jax.commands.report.truth import truth_sentence, with_truth
from npp_jax.fitting import phrases
from npp_jax.fitting.replaced import native_ion
from npp_jax.fitting.unit_words import units_of
from npp_jax.fitting.words import capital, table
from npp_jax.inference import REASON_ADVICE, Reason, given, meanings
from npp_jax.physics import Experiment
from npp_jax.physics.diffusivity import MutualDiffusivity, SEDDiffusivity

_METHODS = {"levenberg-marquardt": "Levenberg–Marquardt least squares", "lbfgs": "L-BFGS", "adam": "Adam"}
_SCALES = ("D_m2_s", "D_bulk_m2_s", "conductivity_S_m", "knot_D_m2_s")
"""Keys of an ion that set the size of its diffusion coefficient."""


def fit_page(outcome: FitOutcome, figures: Sequence[Drawn], lost: Sequence[str], begun: Begun) -> Page:
    """The report, with the figures that could be drawn and sentences on the others."""
    main, study = outcome.main, outcome.study
    blocks: list[Block] = [Text(main.result.sentence(), "lead")]
    if study.truth:
        blocks.append(Text(truth_sentence(study.truth, main.result)))
    # What is known before the fit stands first, and once.
    blocks += [Text(text, "warning") for text in dict.fromkeys([*begun.warnings, *warnings(main)])]
    fit = study.fit
    how = (
        f"{fit.model.capitalize()} model, setting {fit.setting}, {_METHODS[fit.method]} from "
        f"{len(main.result.refined.reason)} starts, of {len(outcome.sweep.theta)} candidates."
    )
    blocks += [
        data_section(study, how, begun.command, main.hypothesis.parameters),
        Section("Figures", [*figures, *(Text(text, "warning") for text in lost)]),
        _parameters(outcome),
    ]
    if fitted_records(main):
        blocks.append(records_section(main))
    if main.posterior is not None:
        blocks.append(posterior_section(main))
    blocks += [_determined(main), minima_section(main.result)]
    if outcome.rivals:
        blocks.append(rivals_section(outcome))
    blocks.append(provenance_section(outcome, begun))
    return Page(f"Fit: {main.hypothesis.name}", tuple(blocks))


def _parameters(outcome: FitOutcome) -> Section:
    result = outcome.main.result
    parts = dict(result.chi2_of)
    if (rest := result.chi2 - sum(parts.values())) >= 0.05:
        parts["priors"] = rest
    agreement = ", ".join(f"{name} {value:.1f}" for name, value in parts.items())
    words = meanings(end.outcome for name in result.names for end in result[name].ends)
    ended = REASON_ADVICE[Reason(int(result.refined.reason[result.best]))]
    return Section(
        "Parameters",
        [
            with_truth(table(result)._replace(title="", remarks=()), outcome.study.truth, result),
            Text(
                f"χ² {result.chi2:.1f} for {result.points} points ({agreement}), probability {result.p_value:.2g}. "
                f"The fit ended thus: {ended}."
            ),
            *([Text(f"Words in the place of an end: {'; '.join(words)}.")] if words else []),
        ],
    )


def _determined(main: Fitted) -> Section:
    result = main.result
    held, blocks = given(result.parameters, result.covariance), list[Block]()
    if held:
        blocks.append(Text(f"With {' and '.join(held)} free, beyond the end of the range too, to first order:"))
    problem = main.hypothesis.problem
    keys = [key for parameter in problem.parameters for key in parameter.keys]
    elsewhere = from_elsewhere((m.experiment for m in problem.measurements), keys)
    told = [*result.identifiability.lines(phrases(result.parameters), units_of(result.parameters)), *elsewhere]
    return Section("What the data determine", [*blocks, Items(tuple(f"{capital(text)}." for text in told))])


def from_elsewhere(experiments: Iterable[Experiment], keys: Iterable[str]) -> Iterator[str]:
    """What has to be known from elsewhere, a sentence each.

    Parameters
    ----------
    experiments
        Those that are fitted.
    keys
        Keys of all parameters.
    """
    experiments, parts = list(experiments), [key.split(".") for key in keys]
    named, varied = {tuple(part[:2]) for part in parts}, {part[-1] for part in parts}
    for ion in {native.name: native for native in map(native_ion, experiments)}.values():
        law = ion.diffusivity
        name = law.partner if isinstance(law, MutualDiffusivity) else ion.name
        if not any((name, key) in named for key in _SCALES):
            yield f"D of {name} in the bulk is taken from the files; other diffusion coefficients depend on it"
    sites = any(isinstance(ion.diffusivity, SEDDiffusivity) for e in experiments for ion in e.species)
    if sites and "temperature_K" not in varied:
        yield "the temperature is taken from the files; the width of the distribution is proportional to it"
    if "sed_fwhm_eV" in varied and "vacancy_fraction" not in varied:
        yield "the vacancy fraction is taken from the files; the width that is found depends on it"
