"""Command line: `npp-jax simulate`, `sweep`, `fit`, `import-sims`, `plot`, `export`, `schema`, `info`.

Exit codes: 0 done, 2 wrong input (one line on standard error), 3 the result carries a warning in its status, 4 no
finite result.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from npp_jax.solution import Solution

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Nernst–Planck–Poisson simulation of ion exchange.")

Model = Literal["electroneutral", "full"]


def _wrong_input(message: str) -> typer.Exit:
    typer.echo(f"npp-jax: {' '.join(str(message).split())}", err=True)
    return typer.Exit(2)


def _start_jax() -> None:
    """Double precision, compiled code kept between runs, and a collector of garbage that seldom looks."""
    import gc

    import jax

    # A program being traced is some million small objects that all live: looking through them is a tenth of the time.
    gc.set_threshold(100_000, 50, 100)

    jax.config.update("jax_enable_x64", True)
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(home / "npp_jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="Experiment file (TOML).")],
    model: Annotated[Model, typer.Option(help="Equations to solve.")] = "electroneutral",
    setting: Annotated[Literal["accurate", "fast"], typer.Option(help="Cells, steps, iterations.")] = "accurate",
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    csv: Annotated[Path | None, typer.Option(help="Folder for profiles_<k>.csv and trace.csv.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw the summary figure.")] = True,
    format: Annotated[Literal["png", "pdf"], typer.Option(help="Format of the figure.")] = "png",
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Simulate one experiment: depth profiles, potential, current, report."""
    _start_jax()
    import jax

    from npp_jax.config import ConfigError, load_experiment
    from npp_jax.io.results import write_csv, write_solution
    from npp_jax.simulate import ACCURATE, FAST, Unsupported, check_supported
    from npp_jax.simulate import simulate as run
    from npp_jax.solver.status import STATUS_ADVICE, Status

    try:
        experiment = load_experiment(file)
        # Before compilation, inside which the bulk fractions have no values to check.
        check_supported(experiment, model)
        controls = {"accurate": ACCURATE, "fast": FAST}[setting]
        with _spinner(f"simulating {file.name} ({model}, {setting})", quiet=quiet):
            # What runs once is not worth a compiler's care: half of the time of a first run.
            options = {"xla_backend_optimization_level": 0}
            compiled = jax.jit(lambda e: run(e, controls, model=model), compiler_options=options)
            solution = jax.block_until_ready(compiled(experiment))
    except (ConfigError, Unsupported) as error:
        prefix = "" if str(error).startswith(str(file)) else f"{file}: "
        raise _wrong_input(f"{prefix}{error}") from None
    try:
        output.mkdir(parents=True, exist_ok=True)
        result = output / f"{file.stem}.h5"
        write_solution(result, solution, experiment_text=file.read_text(encoding="utf-8"), command=" ".join(sys.argv))
        written = [result]
        if csv is not None:
            written += write_csv(csv, solution)
        if figures:
            from npp_jax.plots import figure_summary

            figure = output / f"{file.stem}.{format}"
            figure_summary(experiment, solution).savefig(figure, dpi=150)
            written.append(figure)
    except OSError as error:
        raise _wrong_input(f"cannot write results: {error}") from None
    status = Status(int(solution.report.status))
    if not quiet:
        _print_table(solution)
        typer.echo("written: " + ", ".join(str(path) for path in written))
    typer.echo(f"status: {STATUS_ADVICE[status]}")
    if status is Status.NOT_FINITE:
        raise typer.Exit(4)
    if status is not Status.DONE:
        raise typer.Exit(3)


def _spinner(text: str, *, quiet: bool):
    """Moving sign of life in a terminal, one plain line elsewhere."""
    import contextlib

    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        return contextlib.nullcontext()
    if console.is_terminal:
        return console.status(text)
    typer.echo(text, err=True)
    return contextlib.nullcontext()


def _print_table(solution: "Solution") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{solution.model}: {', '.join(solution.species)}")
    names = (
        "time / h",
        "charge / mC cm⁻²",
        "front / nm",
        "width / nm",
        "plateau",
        "j / nA cm⁻²",
        "U / V",
        "excess / ‰",
    )
    for name in (*names, "front error / nm", "profile error"):
        table.add_column(name, justify="right")
    for k in range(len(solution.time)):
        excess = solution.excess_charge[k]
        extreme = float(excess[abs(excess).argmax()])
        table.add_row(
            f"{float(solution.time[k]) / 3600.0:.4g}",
            f"{float(solution.charge[k]) * 0.1:.4g}",
            f"{float(solution.front_depth[k]) * 1e9:.3f}",
            f"{float(solution.front_width[k]) * 1e9:.3f}",
            f"{float(solution.plateau[k]):.4f}",
            f"{float(solution.current_density[k]) * 1e5:.4g}",
            f"{float(solution.surface_potential[k]):.4g}",
            f"{1e3 * extreme:.3g}",
            f"{float(solution.report.front_error[k]) * 1e9:.2g}",
            f"{float(solution.report.profile_error[k]):.1e}",
        )
    Console(width=max(120, Console().width)).print(table)
    report = solution.report
    typer.echo(
        f"{report.cells} cells, {report.steps} steps, {int(report.iterations)} Newton iterations; "
        f"ion balance {float(report.ion_balance):.1e}"
    )


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    force: Annotated[bool, typer.Option(help="Discard the results of another run in the same place.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; by default one a core on a CPU.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes on this machine instead of threads.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="dask.distributed scheduler, tcp://HOST:8786 or its file: its workers evaluate.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="Print the summary only.")] = False,
) -> None:
    """Evaluate many candidates against measured profiles; resumes where it was interrupted."""
    _start_jax()
    from npp_jax.config import ConfigError
    from npp_jax.fit import data_warnings
    from npp_jax.study import load_study
    from npp_jax.sweep import StoreError
    from npp_jax.sweep.run import SweepStopped
    from npp_jax.sweep_command import run_study, summary

    if sum(option is not None for option in (workers, processes, scheduler)) > 1:
        raise _wrong_input("workers, processes and scheduler exclude one another")
    try:
        study = load_study(file)
    except ConfigError as error:
        raise _wrong_input(str(error)) from None
    for text in data_warnings(study.problem):
        typer.echo(f"warning: {text}", err=True)
    try:
        output.mkdir(parents=True, exist_ok=True)
        result = run_study(
            study,
            output / f"{file.stem}.h5",
            force=force,
            workers=workers,
            quiet=quiet,
            scheduler=scheduler,
            processes=processes,
        )
    except (OSError, StoreError, SweepStopped) as error:
        raise _wrong_input(str(error)) from None
    lines, failed, total = summary(result)
    typer.echo("\n".join(lines))
    typer.echo(f"written: {result}")
    if failed == total:
        raise typer.Exit(4)
    if failed:
        raise typer.Exit(3)


@app.command()
def fit(
    file: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    sweep: Annotated[Path | None, typer.Option(help="Result of `npp-jax sweep` to start from.")] = None,
    method: Annotated[
        Literal["levenberg-marquardt", "lbfgs", "adam"] | None,
        typer.Option(help="How the starts are refined, in place of what the study says."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Fit the parameters of a study to its measured profiles: sweep, refinement, uncertainties, report."""
    _start_jax()
    from npp_jax.config import ConfigError
    from npp_jax.fit import REASON_ADVICE, MissingExtra, PosteriorError, Reason, data_warnings
    from npp_jax.fit_command import NoCandidate, run_fit
    from npp_jax.fit_files import write_fit
    from npp_jax.fit_summary import intervals, warnings
    from npp_jax.simulate import Unsupported
    from npp_jax.study import load_study
    from npp_jax.sweep import SweepFileError, read_sweep

    try:
        study = load_study(file)
        if method is not None:
            study = dataclasses.replace(study, fit=study.fit.model_copy(update={"method": method}))
        if all(measurement.profile is None for measurement in study.problem.measurements):
            raise ConfigError(f"{file}: no experiment has a profile; there is nothing to fit to")
        found = None if sweep is None else read_sweep(sweep)
        if found is not None and found.names != tuple(axis.name for axis in study.axes):
            raise ConfigError(f"{sweep}: its parameters are {', '.join(found.names)}; the study has others")
        # Before the minutes that a fit may take.
        known = data_warnings(study.problem)
        for text in known:
            typer.echo(f"warning: {text}", err=True)
        output.mkdir(parents=True, exist_ok=True)
        outcome = run_fit(study, sweep=found, quiet=quiet)
        written = write_fit(outcome, output, file.stem, command=" ".join(sys.argv))
    except (ConfigError, SweepFileError, MissingExtra, OSError, Unsupported) as error:
        raise _wrong_input(str(error)) from None
    except (NoCandidate, PosteriorError) as error:
        typer.echo(f"npp-jax: {error}", err=True)
        raise typer.Exit(4) from None
    result = outcome.main.result
    if not quiet:
        for bound, best in zip(outcome.main.model.bounds, result.theta, strict=True):
            low, high, source = intervals(outcome.main)[bound.name]
            typer.echo(f"{bound.name:24s} {best:12.5g}   95 %: {low:.5g} … {high:.5g}   ({source})")
        if outcome.main.posterior is not None:
            for bound, (low, high), r_hat in zip(
                outcome.main.model.bounds,
                outcome.main.posterior.interval,
                outcome.main.posterior.r_hat,
                strict=True,
            ):
                typer.echo(f"{bound.name:24s} {'posterior':>12s}   95 %: {low:.5g} … {high:.5g}   (R-hat {r_hat:.3f})")
        typer.echo(f"misfit {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}")
        for rival in outcome.rivals:
            better = outcome.main.result.criteria.bic - rival.result.criteria.bic
            typer.echo(f"rival '{rival.model.name}': misfit {rival.result.chi2:.1f}, BIC {-better:+.1f}")
        typer.echo("written: " + ", ".join(str(path) for path in written))
    for text in warnings(outcome.main):
        if text not in known:
            typer.echo(f"warning: {text}")
    reason = Reason(int(result.refined.reason[result.best]))
    typer.echo(f"status: {REASON_ADVICE[reason]}")
    if reason is not Reason.CONVERGED:
        raise typer.Exit(3)


@app.command()
def tracer(
    file: Annotated[Path, typer.Argument(help="Tracer study file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    format: Annotated[Literal["png", "pdf"], typer.Option(help="Format of the figure.")] = "png",
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Isotope exchange and grain boundaries: profiles, evolution, chains and maps of grains, Arrhenius lines."""
    _start_jax()
    from npp_jax.config import ConfigError
    from npp_jax.tracer_command import result_files, run_tracer, write_report
    from npp_jax.tracer_study import load_tracer_study

    try:
        study = load_tracer_study(file)
    except ConfigError as error:
        raise _wrong_input(str(error)) from None
    try:
        written = result_files(study, file.parent, output, file.stem, format=format)
        with _spinner(f"{study.kind}: {file.name}", quiet=quiet):
            report = run_tracer(study, file.parent)
        output.mkdir(parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8")
        write_report(report, study, written, text=text, command=" ".join(sys.argv))
    except ConfigError as error:
        raise _wrong_input(f"{file}: {error}") from None
    except OSError as error:
        raise _wrong_input(f"cannot write results: {error}") from None
    if not quiet:
        typer.echo("\n".join(report.lines))
        typer.echo("written: " + ", ".join(str(path) for path in written))
    for text in report.warnings:
        typer.echo(f"warning: {text}")
    typer.echo(f"status: {report.status}")
    if report.code:
        raise typer.Exit(report.code)


@app.command(name="import-sims")
def import_sims(
    file: Annotated[Path, typer.Argument(help="SIMS file: SurfaceLab text, CAMECA ASCII, or a table.")],
    species: Annotated[list[str] | None, typer.Option(help="K=39K+; none: list the channels.")] = None,
    out: Annotated[Path | None, typer.Option(help="Profile (HDF5); beside the file if not given.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Figure; its ending gives the format.")] = None,
    format: Annotated[str, typer.Option(help="auto, surfacelab, cameca or table.")] = "auto",
    crater_depth_nm: Annotated[float | None, typer.Option(help="Depth of the crater.")] = None,
    crater_sigma_nm: Annotated[float, typer.Option(help="Its standard deviation.")] = 0.0,
    duration_s: Annotated[float | None, typer.Option(help="Sputter time of the whole crater.")] = None,
    normalise: Annotated[list[str] | None, typer.Option(help="Li=bulk, K=uptake, … or one word for all.")] = None,
    bulk_nm: Annotated[str | None, typer.Option(help="Depths of the untouched bulk, 800:1000.")] = None,
    reference: Annotated[str | None, typer.Option(help="Channel of the matrix.")] = None,
    background: Annotated[list[str] | None, typer.Option(help="K=800:1000 in nm, or K=0.4 ions a point.")] = None,
    sputter_rate: Annotated[list[str] | None, typer.Option(help="K=1.3, relative, for each species.")] = None,
    close_sum: Annotated[bool, typer.Option(help="Scale so that all species add up to one.")] = False,
    surface_nm: Annotated[float, typer.Option(help="Points above are cut: the surface transient.")] = 0.0,
    deepest_nm: Annotated[float | None, typer.Option(help="Points below are cut.")] = None,
    charge_mC_cm2: Annotated[float | None, typer.Option("--charge-mC-cm2", help="Charge passed.")] = None,
    density_m3: Annotated[float | None, typer.Option(help="Mobile ions of the bulk.")] = None,
    dwell_s: Annotated[float | None, typer.Option(help="Acquisition time of a point.")] = None,
    as_counts: Annotated[bool, typer.Option(help="Take signals of unknown unit for counts.")] = False,
    sigma_relative: Annotated[float, typer.Option(help="Relative uncertainty beside counting.")] = 0.0,
) -> None:
    """Read a SIMS depth profile: depth scale, normalisation, counting statistics."""
    from npp_jax.io.sims.errors import SimsFileError
    from npp_jax.io.sims.importing import command

    try:
        lines = command(
            file,
            species or [],
            out=out,
            figure=figure,
            format=format,
            crater_depth_nm=crater_depth_nm,
            crater_sigma_nm=crater_sigma_nm,
            duration_s=duration_s,
            normalise=normalise or [],
            bulk_nm=bulk_nm,
            reference=reference,
            background=background or [],
            sputter_rate=sputter_rate or [],
            close_sum=close_sum,
            surface_nm=surface_nm,
            deepest_nm=deepest_nm,
            charge_mC_cm2=charge_mC_cm2,
            density_m3=density_m3,
            dwell_s=dwell_s,
            as_counts=as_counts,
            sigma_relative=sigma_relative,
            command_line=" ".join(sys.argv),
        )
    except (SimsFileError, OSError) as error:
        raise _wrong_input(str(error)) from None
    typer.echo("\n".join(lines))


@app.command()
def plot(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax simulate` or `npp-jax sweep` (HDF5).")],
    output: Annotated[
        Path | None, typer.Option(help="Figure; its ending gives the format. Those of a sweep: NAME_landscape.png, …")
    ] = None,
) -> None:
    """Draw the figures of a stored result."""
    _start_jax()
    import tomllib

    import h5py

    from npp_jax.config import ConfigError, parse_experiment
    from npp_jax.io.results import read_solution
    from npp_jax.plots import figure_summary
    from npp_jax.sweep import SweepFileError, is_sweep
    from npp_jax.sweep_plots import draw_sweep

    try:
        if is_sweep(file):
            written = draw_sweep(file, output or file.with_suffix(".png"))
            typer.echo("written: " + ", ".join(str(path) for path in written))
            return
        solution = read_solution(file)
        with h5py.File(file) as stored:
            experiment = parse_experiment(tomllib.loads(str(stored.attrs["experiment"])), folder=file.parent)
        target = output or file.with_suffix(".png")
        figure_summary(experiment, solution).savefig(target, dpi=150)
    except (ConfigError, SweepFileError, ValueError, OSError) as error:
        raise _wrong_input(str(error)) from None
    typer.echo(f"written: {target}")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax sweep` (HDF5).")],
    csv: Annotated[Path | None, typer.Option(help="Table, one row a candidate.")] = None,
    npz: Annotated[Path | None, typer.Option(help="Arrays of NumPy: theta, profiles, statuses.")] = None,
) -> None:
    """Write a sweep as a table, or as arrays for simulation-based inference."""
    from npp_jax.io.sweep_export import write_sweep_arrays, write_sweep_table
    from npp_jax.sweep import SweepFileError, read_sweep

    if csv is None and npz is None:
        raise _wrong_input("nothing to write; say where: --csv TABLE.csv, --npz ARRAYS.npz or both")
    try:
        result = read_sweep(file)
        written = [] if csv is None else [write_sweep_table(file, result, csv)]
        written += [] if npz is None else [write_sweep_arrays(file, result, npz)]
    except (SweepFileError, OSError) as error:
        raise _wrong_input(str(error)) from None
    typer.echo("written: " + ", ".join(str(path) for path in written))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the experiment file."""
    from npp_jax.config import experiment_schema

    typer.echo(json.dumps(experiment_schema(), indent=2))


@app.command()
def info() -> None:
    """Print versions and devices."""
    _start_jax()
    import jax
    import numpy

    import npp_jax

    typer.echo(f"npp_jax {npp_jax.__version__}, jax {jax.__version__}, numpy {numpy.__version__}")
    for device in jax.devices():
        typer.echo(f"{device.platform}: {device.device_kind}")


def main() -> None:
    """Entry point of the command line."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("npp-jax: interrupted", err=True)
        raise SystemExit(130) from None
