"""`npp-jax sweep` and `npp-jax fit`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written, typed, wrong_input


def sweep(
    file: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    force: Annotated[bool, typer.Option(help="Discard the results of another run in the same place.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; by default one a core on a CPU.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes on this machine instead of threads.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="dask.distributed scheduler, tls://HOST:8786 or its file: its workers evaluate.")
    ] = None,
    tls_ca: Annotated[
        str | None, typer.Option("--tls-ca", "--tls-ca-file", help="Who signs the certificate of the scheduler (PEM).")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="Own certificate for the scheduler (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its private key, if in a file of its own (PEM).")] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures of the report.")] = True,
    quiet: Annotated[bool, typer.Option(help="Print the summary only.")] = False,
) -> None:
    """Evaluate many candidates against measured profiles; resumes where it was interrupted."""
    start_jax()
    from npp_jax.commands.progress import progress
    from npp_jax.commands.report.provenance import begin
    from npp_jax.commands.sweep import check_place, failures, run_study, write_sweep_report
    from npp_jax.commands.warnings import study_warnings
    from npp_jax.files.study import load_study
    from npp_jax.sweeping import Certificates, Workers

    if sum(option is not None for option in (workers, processes, scheduler)) > 1:
        raise wrong_input("workers, processes and scheduler exclude one another")
    certificates = None if tls_ca is None or tls_cert is None else Certificates(tls_ca, tls_cert, tls_key)
    if any((tls_ca, tls_cert, tls_key)) and (certificates is None or scheduler is None):
        raise wrong_input("--tls-ca, --tls-cert and, where the key is apart, --tls-key go with --scheduler")
    # Its errors name the file that is wrong, which may be the store.
    with exit_codes():
        study = load_study(file)
        known = study_warnings(study)
        for text in known:
            say(f"warning: {text}", err=True)
        make_folder(output)
        target = output / f"{file.stem}.h5"
        check_place(study, target, force=force)
        begun = begin(typed(), file, study.text, study.identity.files.values(), known)
        own = Workers(workers, processes, scheduler, certificates)
        result = run_study(study, target, force=force, workers=own, quiet=quiet)
        # The numbers are told before anything can go wrong with the report.
        say(result.summary())
        with progress("drawing the figures" if figures else "writing the report", quiet=quiet):
            written, lost = write_sweep_report(study, result, target, begun, figures=figures)
    tell_written([target, *written])
    for text in lost:
        say(f"warning: {text}")
    if not quiet:
        say(f"report: {written[0]}")
    failed = failures(result)
    if failed == len(result.theta):
        raise typer.Exit(4)
    if failed:
        raise typer.Exit(3)


def fit(
    file: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    sweep: Annotated[Path | None, typer.Option(help="Result of `npp-jax sweep` to start from.")] = None,
    method: Annotated[
        Literal["levenberg-marquardt", "lbfgs", "adam"] | None,
        typer.Option(help="How the starts are refined, in place of what the study says."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    force: Annotated[bool, typer.Option(help="Replace what other studies or programs wrote there.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Fit the parameters of a study to its measured profiles: sweep, refinement, uncertainties, report."""
    start_jax()
    from npp_jax.commands.fit.results import origin_of, result_files, write_fit
    from npp_jax.commands.fit.run import run_fit
    from npp_jax.commands.fit.starts import read_starts
    from npp_jax.commands.fit.summary import lines, warnings
    from npp_jax.commands.progress import progress
    from npp_jax.commands.report.provenance import begin
    from npp_jax.commands.warnings import study_warnings
    from npp_jax.files import ConfigError
    from npp_jax.files.origin import ROOM, check_targets
    from npp_jax.files.study import load_study
    from npp_jax.inference import REASON_ADVICE, Reason

    # Its errors name the file that is wrong, which may be the sweep.
    with exit_codes():
        study = load_study(file)
        if method is not None:
            study = dataclasses.replace(study, fit=study.fit.model_copy(update={"method": method}))
        if not study.problem.data:
            raise ConfigError(f"{file}: no experiment has a profile or a record; there is nothing to fit to")
        found = None if sweep is None else read_starts(sweep, study)
        # Before the minutes that a fit may take.
        known = study_warnings(study)
        for text in known:
            say(f"warning: {text}", err=True)
        make_folder(output)
        origin = origin_of(study, sweep)
        check_targets(result_files(study, output, file.stem), origin, force=force, room=4 * ROOM)
        begun = begin(typed(), file, study.text, origin.reads, known)
        outcome = run_fit(study, sweep=found, quiet=quiet)
        # The numbers are told before anything can go wrong with their files.
        if not quiet:
            say("\n".join(lines(outcome)))
        for text in warnings(outcome.main):
            if text not in known:
                say(f"warning: {text}")
        with progress("drawing the figures", quiet=quiet):
            written, lost = write_fit(outcome, output, file.stem, begun=begun, origin=origin)
    if not quiet:
        tell_written(written)
    for text in lost:
        say(f"warning: {text}")
    result = outcome.main.result
    reason = Reason(int(result.refined.reason[result.best]))
    say(f"status: {REASON_ADVICE[reason]}")
    if not quiet:
        say(f"report: {written[0]}")
    if reason is not Reason.CONVERGED:
        raise typer.Exit(3)
