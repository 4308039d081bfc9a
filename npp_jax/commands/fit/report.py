"""The report of a fit: what was found and how sure it is, and all that belongs to it."""

from collections.abc import Iterator, Sequence

from npp_jax.commands.fit.parts import minima_section, posterior_section, provenance_section, rivals_section
from npp_jax.commands.fit.records import fitted_records, records_section
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import warnings
from npp_jax.commands.report.blocks import Block, Drawn, Items, Page, Section, Text
from npp_jax.commands.report.provenance import Begun
from npp_jax.commands.report.study import data_section
from npp_jax.commands.report.truth import truth_sentence, with_truth
from npp_jax.fitting import phrases
from npp_jax.fitting.unit_words import units_of
from npp_jax.fitting.words import capital, table
from npp_jax.inference import REASON_ADVICE, Reason, given, meanings

_METHODS = {"levenberg-marquardt": "Levenberg–Marquardt least squares", "lbfgs": "L-BFGS", "adam": "Adam"}


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
    told = [*result.identifiability.lines(phrases(result.parameters), units_of(result.parameters)), *_outside(main)]
    return Section("What the data determine", [*blocks, Items(tuple(f"{capital(text)}." for text in told))])


def _outside(fitted: Fitted) -> Iterator[str]:
    """What has to be known from elsewhere."""
    keys = {key.rpartition(".")[2] for p in fitted.hypothesis.problem.parameters for key in p.keys}
    if not keys & {"D_bulk_m2_s", "conductivity_S_m"}:
        yield "D_bulk of the native ion is taken from the files; profiles fix ratios of diffusivities"
    if "temperature_K" not in keys:
        yield "the temperature is taken from the files; the width of the distribution is proportional to it"
    if "sed_fwhm_eV" in keys and "vacancy_fraction" not in keys:
        yield "the vacancy fraction is taken from the files; the width that is found depends on it"
