"""`npp-jax design`."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written, typed


def design(
    file: Annotated[Path, typer.Argument(help="Study file (TOML) with a table \\[next].")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    force: Annotated[bool, typer.Option(help="Replace what other studies or programs wrote there.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print the best proposals only.")] = False,
) -> None:
    """Compute the next experiment: what each proposal would tell about the parameters of a study, or its rivals."""
    start_jax()
    from npp_jax.commands.design.results import origin_of, result_files, write_design
    from npp_jax.commands.design.run import run_design
    from npp_jax.commands.design.summary import intervals_table, proposals_table, sentence, warnings
    from npp_jax.commands.progress import progress
    from npp_jax.commands.report.provenance import begin
    from npp_jax.files import ConfigError
    from npp_jax.files.origin import ROOM, check_targets
    from npp_jax.files.study import load_study

    with exit_codes():
        study = load_study(file)
        if study.next is None:
            raise ConfigError(f"{file}: no table [next] with experiments that could be made; docs/design.md shows one")
        make_folder(output)
        origin = origin_of(study)
        check_targets(result_files(output, file.stem), origin, force=force, room=ROOM)
        begun = begin(typed(), file, study.text, origin.reads)
        outcome = run_design(study, study.next, quiet=quiet)
        for text in warnings(outcome):
            say(f"warning: {text}")
        say(proposals_table(outcome, outcome.chosen, f"Next experiment, goal: {outcome.goal}").text())
        say(intervals_table(outcome).text())
        with progress("drawing the figure", quiet=quiet):
            written, lost = write_design(outcome, output, file.stem, begun=begun, origin=origin)
    if not quiet:
        tell_written(written)
    for text in lost:
        say(f"warning: {text}")
    say(sentence(outcome))
    if not quiet:
        say(f"report: {written[0]}")
