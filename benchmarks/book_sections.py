"""Sections of the verification book: one function for each stored result, to Markdown."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from scipy import stats

Result = dict[str, Any]

CHANCE = 6.63
"""Fall of χ² by one more parameter that chance exceeds in one of a hundred."""


GRADIENT = 0.05
"""Share of a derivative by which that of a held mesh may differ from a difference of runs."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    cells = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def references(result: Result) -> tuple[str, str]:
    """Errors against the converged solutions, the worst of each case."""
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in result["rows"]:
        case, model, setting = row["label"].split("/")[0].split()[0], *row["label"].split()[1:3]
        groups.setdefault((case, model, setting), []).append(row)
    lines = []
    for (case, model, setting), rows in groups.items():
        judged = [row for row in rows if row["verdict"] != "flagged NOT_NEUTRAL"]
        worst = {
            key: max((abs(row[key]) for row in judged), default=float("nan")) for key in ("front", "profile", "other")
        }
        inside, flagged = (sum(row["verdict"] == v for row in rows) for v in ("inside", "flagged NOT_NEUTRAL"))
        absolute, share = result["limits"][setting][:2]
        of_limit = max((abs(r["front"]) / max(absolute, share * r["front_nm"]) for r in judged), default=float("nan"))
        lines.append(
            (case, model, setting, len(rows), inside, flagged or "", f"{worst['front']:.3f}",
             f"{100 * of_limit:.0f} %", f"{worst['profile']:.1e}",
             f"{worst['other']:.1e}")
        )  # fmt: skip
    outside = [row for row in result["rows"] if row["verdict"] == "OUTSIDE"]
    bad = sum(row["setting"] == "accurate" for row in outside)
    inside = sum(row["verdict"] == "inside" for row in result["rows"])
    neither = len(result["rows"]) - inside - len(outside)
    verdict = (
        f"{inside} of {len(result['rows'])} outputs inside, {len(outside)} outside, {neither} reported NOT_NEUTRAL"
    )
    if bad:
        verdict = f"FAILED: {bad} outside with `accurate`; {verdict}"
    head = (
        "case",
        "model",
        "setting",
        "outputs",
        "inside",
        "reported",
        "front / nm",
        "of its limit",
        "profile",
        "charge … time",
    )
    body = "Worst error of each case; those that report NOT_NEUTRAL are left out of it.\n\n" + table(head, lines)
    picture = "\n![Errors of all outputs, as a share of their limits](verification_errors.svg)\n"
    return verdict, body + picture


def figure_references(source: Path, target: Path) -> None:
    """Errors of all outputs over their limits, one panel for each setting."""
    if not source.is_file():
        return
    result = json.loads(source.read_text(encoding="utf-8"))
    mpl.rcParams.update({"svg.hashsalt": "npp_jax", "font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.2), sharey=True, layout="constrained")
    for ax, setting in zip(axes, ("accurate", "fast"), strict=True):
        absolute, share, profile, plateau, other = result["limits"][setting]
        rows = [row for row in result["rows"] if row["setting"] == setting and "NOT_NEUTRAL" not in row["verdict"]]
        parts = {
            "front": [abs(row["front"]) / max(absolute, share * row["front_nm"]) for row in rows],
            "profile": [row["profile"] / profile for row in rows],
            "plateau": [abs(row["plateau"]) / plateau for row in rows],
            "charge … time": [row["other"] / other for row in rows],
        }
        for k, values in enumerate(parts.values()):
            spread = [k + 0.5 * (j / max(1, len(values) - 1) - 0.5) for j in range(len(values))]
            ax.semilogy(spread, [max(value, 1e-5) for value in values], ".", ms=4)
        ax.axhline(1.0, color="0.3", lw=0.8, ls="--")
        ax.set_xticks(range(len(parts)), list(parts))
        ax.set_title(f"{setting}: {len(rows)} outputs")
    axes[0].set_ylabel("error over its limit")
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def random_experiments(result: Result) -> tuple[str, str]:
    """Counts of the judgements."""
    counts = result["counts"]
    bad = counts.get("done, outside", 0)
    judged = sum(counts.values()) - counts.get("not judged", 0)
    inside = counts.get("done, inside", 0)
    verdict = f"{'FAILED: ' if bad else ''}{inside} done and inside, {bad} done and outside, of {judged} judged"
    most = stats.beta.ppf(0.95, bad + 1, inside) if inside else 1.0
    # Rounded up: a bound.
    body = (
        f"\nWith 95 % confidence fewer than {math.ceil(100 * most)} % of such runs that are called done lie outside.\n"
    )
    return verdict, table(("judgement", "experiments"), sorted(counts.items())) + body


def tests(result: Result) -> tuple[str, str]:
    """Tests with what they say."""
    rows = result["rows"]
    failed = [row for row in rows if row["outcome"] == "failed"]
    passed, skipped = (sum(row["outcome"] == outcome for row in rows) for outcome in ("passed", "skipped"))
    verdict = f"{'FAILED: ' if failed else ''}{passed} passed, {len(failed)} failed, {skipped} skipped"
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["module"], row["test"]), []).append(row)
    lines = [
        (f"`{module}`", test.removeprefix("test_").replace("_", " "),
         ", ".join(sorted({row["outcome"] for row in group})) + (f" ({len(group)})" if len(group) > 1 else ""))
        for (module, test), group in groups.items()
    ]  # fmt: skip
    return verdict, table(("module", "what is tested", "outcome"), lines)


def coverage(result: Result) -> tuple[str, str]:
    """Coverage of the intervals, and where starts ended."""
    found = result["coverage"]
    low, high = found["chance_99"]
    shares = found["share_inside"]
    good = all(low <= share <= high for share in shares.values())
    least, most = 100 * min(shares.values()), 100 * max(shares.values())
    verdict = (
        f"{'' if good else 'FAILED: '}{least:.1f} to {most:.1f} % inside, chance allows {100 * low:.1f} to "
        f"{100 * high:.1f} %"
    )
    rows = [
        (f"`{name}`", f"{100 * share:.1f} %", f"{found['mean_standard_errors'][name]:+.2f}")
        for name, share in shares.items()
    ]
    body = f"{found['replicates']} sets of synthetic data, setting `{found['setting']}`.\n\n"
    body += table(("parameter", "intervals that contain the truth", "mean deviation / standard error"), rows)
    starts = [
        (row["starts"], row["fits"], row["in_the_best_minimum"], row["said_converged_elsewhere"])
        for row in result.get("minima", ())
    ]
    if not starts:
        return verdict, body
    return verdict, body + "\n" + table(("starts", "fits", "in the best minimum", "converged elsewhere"), starts)


def design_validation(result: Result) -> tuple[str, str]:
    """Expected intervals of proposed experiments beside the scatter of refits."""
    rows, ratios, good = [], [], True
    for found in result["proposals"]:
        low, high = found["chance_99"]
        for name, expected in found["expected_half_width_scaled"].items():
            scatter, inside = found["found_half_width_scaled"][name], found["share_inside"][name]
            ratios.append(scatter / expected)
            good = good and low <= ratios[-1] <= high
            told = (f"{expected:.3g}", f"{scatter:.3g}", f"{ratios[-1]:.2f}", f"{100 * inside:.0f} %")
            rows.append((found["proposal"], f"`{name}`", *told))
    found_here = f"ratios {min(ratios):.2f} to {max(ratios):.2f}, chance allows {low:.2f} to {high:.2f}"
    verdict = found_here if good else f"FAILED: {found_here}"
    body = f"{found['replicates']} refits of each proposal; half lengths are on the scales of the parameters.\n\n"
    head = ("proposal", "parameter", "expected ±", "found ±", "ratio", "expected intervals that contain the truth")
    return verdict, body + table(head, rows)


def grain_map(result: Result) -> tuple[str, str]:
    """Recovered permeabilities."""
    fits = result["fit"]
    corrected = next(row for row in fits if row["staircase"] == "corrected")
    low, high = (1e6 * end for end in corrected["interval_cm_s"])
    verdict = (
        f"{'' if corrected['inside'] else 'FAILED: '}{1e6 * corrected['permeability_cm_s']:.3f} ({low:.3f} to "
        f"{high:.3f}) for {1e6 * corrected['truth_cm_s']:.2f}·10⁻⁶ cm/s"
    )
    rows = [
        (row["staircase"], f"{1e6 * row['permeability_cm_s']:.3f}", f"{1e6 * row['interval_cm_s'][0]:.3f} to "
         f"{1e6 * row['interval_cm_s'][1]:.3f}", f"{row['deviance_per_pixel']:.3f}", "yes" if row["inside"] else "no")
        for row in fits
    ]  # fmt: skip
    head = (
        "staircase of oblique boundaries",
        "10⁶ D_gb/δ / (cm/s)",
        "95 % interval",
        "deviance per pixel",
        "truth inside",
    )
    maps = [(f"{m['pixels'][1]} × {m['pixels'][0]}", m["grains"], f"{m['uptake_error']:.0e}") for m in result["map"]]
    return verdict, table(head, rows) + "\n" + table(("pixels", "grains", "error of the uptake"), maps)


def statements(result: Result) -> tuple[str, str]:
    """Statements of a paper; rows with values of our own beside them are no statements."""
    rows = [row for row in result["rows"] if "(not in the paper)" not in row["statement"]]
    bad = [row for row in rows if any(word in row["remark"].lower() for word in ("not met", "inconsistent"))]
    verdict = f"{len(rows)} statements, {len(bad)} not met or inconsistent as said below"
    lines = [(row["statement"], row["computed"], row["remark"]) for row in result["rows"]]
    return verdict, table(("statement", "computed", "remark"), lines)


def glass_exchange(result: Result) -> tuple[str, str]:
    """Published and own fits of the measured profile."""
    off = result["published"] / result["stated"] - 1.0
    best = min(fit["mean_square"] for fit in result["fits"])
    good = abs(off) <= 0.02 and best <= result["stated"]
    verdict = (
        f"{'' if good else 'FAILED: '}{result['published']:.4f} mol%² at the published values "
        f"(stated {result['stated']}); best fit {best:.4f}"
    )
    lines = [
        (fit["minimum"], f"{fit['mean_square']:.4f}", f"`{p['name']}`", f"{p['value']:.4g}",
         f"{p['interval'][0]:.4g} to {p['interval'][1]:.4g}", p["remark"])
        for fit in result["fits"] for p in fit["parameters"]
    ]  # fmt: skip
    head = ("minimum", "mean square", "parameter", "value (µm²/s, mol%)", "95 % (covariance; else as said)", "remark")
    return verdict, table(head, lines)


def two_digits(value: float) -> str:
    """As many as a rate on a shared machine has."""
    return f"{float(f'{value:.2g}'):g}"


def speed(result: Result) -> tuple[str, str]:
    """Candidates per second beside the share inside of the limits."""
    rows = []
    for model, baselines in result["baselines"].items():
        for name, base in baselines.items():
            rows.append(
                (
                    f"SUNDIALS, {name} mesh",
                    model,
                    "float64",
                    two_digits(base["per_second"]),
                    f"{100 * base['inside']:.1f} %",
                )
            )
    for row in result["library"]:
        rows.append(
            ("npp_jax", row["model"], row["dtype"], two_digits(row["per_second"]), f"{100 * row['inside']:.1f} %")
        )
    best = [r for r in result["library"] if r["model"] == "electroneutral" and r["dtype"] == "float64"]
    ours, base = best[0], result["baselines"]["electroneutral"]
    # A candidate on one core, as the median of the baseline is taken.
    typical = base["fixed"]["median_seconds"] * ours["per_second"] / result["cores"]
    verdict = (
        f"{two_digits(ours['ratio']['fixed'])} times the fixed mesh in the mean, {two_digits(typical)} times its "
        f"median candidate; {two_digits(ours['ratio']['moving'])} times the moving mesh"
    )
    left_out = ours["status"].get("NOT_NEUTRAL", 0)
    text = (
        f"All from one box, but not the same number: {base['fixed']['candidates']} on the fixed mesh, "
        f"{base['moving']['candidates']} on the moving mesh, {ours['candidates']} by npp_jax. A few thin fronts take "
        "most of the time on the fixed mesh, so that its mean is known roughly. npp_jax runs without its error "
        f"estimate. The {left_out} electroneutral candidates that it reports NOT_NEUTRAL count in the rate, not in "
        "the share inside. Each solver is judged by refined runs of its own.\n\n"
    )
    return verdict, text + table(("solver", "model", "precision", "candidates / s", "inside"), rows)


def couple_coverage(result: Result) -> tuple[str, str]:
    """Bands of D(c) of couples that hold the whole true curve."""
    rows = [
        (kind, f"{100 * found['whole_curve']:.0f} %", f"{100 * found['compositions']:.1f} %",
         f"{found['median_width_ln_D']:.3f}", f"{100 * found['ended_in_a_minimum']:.0f} %")
        for kind, found in result["couples"].items()
    ]  # fmt: skip
    least = min(found["whole_curve"] for found in result["couples"].values())
    low, high = stats.binom.interval(0.99, result["replicates"], 0.95)
    bad = any(not low <= found["whole_curve"] * result["replicates"] for found in result["couples"].values())
    verdict = (
        f"{'FAILED: ' if bad else ''}at least {100 * least:.0f} % of the bands hold the whole curve; chance allows "
        f"{100 * low / result['replicates']:.1f} to {100 * high / result['replicates']:.1f} %"
    )
    head = ("couple", "whole curve inside", "compositions inside", "median width of ln D", "ended in a minimum")
    return verdict, f"{result['replicates']} synthetic couples of each kind.\n\n" + table(head, rows)


def tracer_coverage(result: Result) -> tuple[str, str]:
    """Coverage of tracer fits by the model that made the data, and whether it is recognised."""
    replicates = result["replicates"]
    low, high = (end / replicates for end in stats.binom.interval(0.99, replicates, 0.95))
    rows, shares = [], []
    for model, found in result["coverage"].items():
        inside = {name: share for name, share in found.items() if name != "recognised_by_bic"}
        shares += inside.values()
        told = ", ".join(f"`{name}` {100 * share:.1f} %" for name, share in inside.items())
        rows.append((model, told, f"{100 * found['recognised_by_bic']:.0f} %"))
    good = all(low <= share <= high for share in shares)
    verdict = (
        f"{'' if good else 'FAILED: '}{100 * min(shares):.1f} to {100 * max(shares):.1f} % inside, chance allows "
        f"{100 * low:.1f} to {100 * high:.1f} %"
    )
    body = f"{replicates} synthetic profiles of each model.\n\n"
    return verdict, body + table(("model", "intervals that contain the truth", "recognised by BIC"), rows)


def fit_rivals(result: Result) -> tuple[str, str]:
    """BIC of each law of the site energies on the data of each, and whether its band holds the true D(n)."""
    of_truth = {
        "gaussian": "one Gaussian",
        "immobile": "with immobile ions",
        "bimodal": "sum of two Gaussians",
        "skewed": "sum of two Gaussians",
    }
    # The first model has the title of its study.
    first = result["rows"][0]["model"]
    names = {first: "one Gaussian"}
    found = {(row["truth"], row["seed"], names.get(row["model"], row["model"])): row for row in result["rows"]}
    data = list(dict.fromkeys((truth, seed) for truth, seed, _ in found))
    models = list(dict.fromkeys(model for _, _, model in found))
    own = [found[truth, seed, of_truth[truth]] for truth, seed in data]
    # A free form is smooth, and knows of no ion that never moves.
    free = [found[truth, seed, "free form"]["share_of_D_in_band"] for truth, seed in data if truth != "immobile"]
    failed = min(row["probability"] for row in own) < 0.01 or min(free) < 0.95
    verdict = (
        f"{'FAILED: ' if failed else ''}the true law explains the data of all {len(data)} draws "
        f"(least probability {min(row['probability'] for row in own):.2g}); the free form holds D(n) at "
        f"{100 * min(free):.1f} % of the compositions or more where no ion is immobile"
    )
    text = (
        "Difference of BIC from the lowest, and in brackets the share of the compositions at which the band of 95 % of "
        "the model holds the true D(n). Laws that look alike in the data, as on skewed data, are not told apart in "
        "each draw, and the band of a wrong one is wrong. A free form is smooth and knows no immobile ions: on those "
        "data it is not judged. A star marks a fit with a parameter at an end of its range, which its band takes for "
        "known, so that it is too narrow; a circle one whose best start stalled.\n\n"
    )

    def told(row: dict) -> str:
        mark = {"AT_BOUND": " *", "STALLED": " °"}.get(row["reason"], "")
        return f"{row['delta_bic']:.0f} ({100 * row['share_of_D_in_band']:.0f} %){mark}"

    lines = [(truth, seed, *(told(found[truth, seed, model]) for model in models)) for truth, seed in data]
    return verdict, text + table(("true law", "seed", *models), lines)


def input_gradients(result: Result) -> tuple[str, str]:
    """Derivatives by every input: forward, reverse and differences, a row for each experiment."""
    groups: dict[str, list[dict]] = {}
    for row in result["rows"]:
        groups.setdefault(row["experiment"], []).append(row)
    seen = [row for row in result["rows"] if row["largest"] >= result["seen"]]
    far = [row for row in seen if row["difference"] > GRADIENT]
    apart = max(row["reverse"] for row in seen)
    failed = apart > 1e-6 or len(far) > 0.05 * len(seen)
    verdict = (
        f"{'FAILED: ' if failed else ''}forward = reverse to {apart:.0e}; {len(seen) - len(far)} of {len(seen)} within "
        f"{100 * GRADIENT:g} % of differences"
    )
    text = (
        f"Of {len(result['rows'])} inputs of {len(groups)} experiments (of a rival its first one), {len(seen)} change "
        f"a fraction by {result['seen']:g} or more when they change e-fold (by one, if they are zero), by their "
        "derivative. Errors are relative to the derivative by that input: against differences the RMS over some forty "
        "depths, of two steps of the difference the nearer one. In a derivative the mesh is held, in a difference of "
        f"runs it follows the input. Beyond {100 * GRADIENT:g} % are "
        + (" and ".join(f"`{row['input']}` of {row['experiment']}" for row in far) or "none")
        + ".\n\n"
    )
    lines = []
    for name, rows in groups.items():
        own = [row for row in rows if row["largest"] >= result["seen"]]
        worst = max(own, key=lambda row: row["difference"])
        middle = statistics.median(row["difference"] for row in own)
        lines.append(
            (name, f"{len(own)} of {len(rows)}", f"{max(row['reverse'] for row in own):.0e}", f"{100 * middle:.2g} %",
             f"{100 * worst['difference']:.2g} %", f"`{worst['input']}`")
        )  # fmt: skip
    head = (
        "experiment", "inputs with an effect", "forward against reverse", "forward against differences, median",
        "the same, largest", "input with the largest",
    )  # fmt: skip
    return verdict, text + table(head, lines)


def physics_rivals(result: Result) -> tuple[str, str]:
    """χ² of each model of the flux on the data of each, less that of the true one."""
    chi2 = {(row["case"], row["data"], row["model"]): row["chi2"] for row in result["rows"]}
    beyond = {(case, data, model): value - chi2[case, data, data] for (case, data, model), value in chi2.items()}
    rivals = {key: rise for key, rise in beyond.items() if key[1] != key[2]}
    # Every model but the thermodynamic factor is the ideal one at some value of its own number.
    nested = {key for key in rivals if key[1] == "ideal" and key[2] != "thermodynamic factor"}
    others = [rise for key, rise in rivals.items() if key not in nested]
    # A rival that contains the true model may be better by what one more parameter picks up by chance.
    wrong = [key for key, rise in rivals.items() if rise < -CHANCE]
    told = sum(rise > CHANCE for rise in others)
    falls = f"{len(wrong) or 'none'} of all {len(rivals)} {'fall' if len(wrong) > 1 else 'falls'} by it"
    verdict = (
        f"{'FAILED: ' if wrong else ''}χ² of {told} of the {len(others)} wrong models that do not contain the true one "
        f"rises by more than {CHANCE:g}, {falls}"
    )
    text = (
        "One draw of noise (seed 0). χ² less that of the model with which the data were made. Three models contain the "
        "ideal flux, so that its data cannot speak against them. Hops are seen in the current, the thermodynamic "
        "factor in the shape of the front, intermixing in both. A cross coefficient looks like another width of the "
        "distribution in the thin front of a film; an exchange with a melt, where ions mix over micrometres, sees "
        "it.\n\n"
    )
    for case in dict.fromkeys(row["case"] for row in result["rows"]):
        models = list(dict.fromkeys(row["model"] for row in result["rows"] if row["case"] == case))
        rows = [(data, *(f"{beyond[case, data, model]:+.1f}" for model in models)) for data in models]
        text += table((f"{case}: data of", *models), rows) + "\n"
    own = [row for row in result["rows"] if row["data"] == row["model"] and "own" in row]
    found = [(row["case"], row["data"], f"`{row['own']}`", f"{row['true']:g}", row["interval"]) for row in own]
    return verdict, text + table(("", "model and data", "number", "true", "95 % found"), found)
