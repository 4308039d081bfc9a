"""Files to begin with: what `npp-jax new` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from npp_jax.commands.new.cait import make_cait
from npp_jax.commands.new.couple import make_couple
from npp_jax.commands.new.lines import Draft
from npp_jax.commands.new.measured import profile_text, read_measured
from npp_jax.commands.new.melt import make_melt
from npp_jax.commands.new.options import Options
from npp_jax.commands.new.poling import make_poling
from npp_jax.commands.new.tracer import make_tracer
from npp_jax.commands.warnings import study_warnings
from npp_jax.files import ConfigError
from npp_jax.files.origin import check_folder
from npp_jax.files.study import load_study
from npp_jax.files.writing import write_text, written_together

Kind = Literal["cait", "melt", "poling", "couple", "tracer"]


def make_files(kind: Kind, options: Options, folder: Path) -> tuple[list[Draft], list[str]]:
    """Files of a kind, and what was found in the profile, one sentence each.

    Raises
    ------
    ConfigError, SimsFileError
        An option or the profile is wrong.
    """
    options.check(kind)
    if kind == "tracer":
        return make_tracer(options, folder)
    if kind == "couple":
        return make_couple(options)
    path = options.profile
    measured = None if path is None else read_measured(path, options.counts_per_fraction, options.first_depth_nm or 0.0)
    make = {"cait": make_cait, "melt": make_melt, "poling": make_poling}[kind]
    drafts, told = make(options, measured, folder)
    return drafts, told if measured is None else [profile_text(measured), *told]


def one_profile(profiles: Sequence[Path]) -> None:
    """Refuse several profiles: each has an experiment of its own.

    Raises
    ------
    ConfigError
        One line, with what to do instead.
    """
    if len(profiles) > 1:
        raise ConfigError(
            f"--profile is given {len(profiles)} times, and one experiment has one profile: make files of each with a "
            "--name of its own, and copy the [[experiments]] of one study into the other"
        )


def doubts(written: list[Path]) -> list[str]:
    """What looks wrong in the profile of a study that was written: what a fit would warn of, one sentence each."""
    study = written[1] if len(written) > 1 and written[1].suffix == ".toml" else None
    return [] if study is None else [f"warning: {text}" for text in study_warnings(load_study(study))]


def write_files(drafts: list[Draft], folder: Path, *, reads: Path | None, force: bool) -> list[Path]:
    """Write the files, all or none; a file that is there, edited by its owner perhaps, stays unless `force` is given.

    Raises
    ------
    ConfigError
        A file is there, or is the one that was read.
    OSError
        The folder cannot be written.
    """
    targets = [folder / draft.name for draft in drafts]
    for target in targets:
        if reads is not None and target.exists() and target.samefile(reads):
            raise ConfigError(f"{target}: it would replace the profile that is read; give another --name")
        if target.exists() and not target.is_file():
            raise ConfigError(f"{target}: a folder or device is there; give another --name")
        if target.exists() and not force:
            raise ConfigError(f"{target}: a file is there; give another --name, or --force to replace it")
    check_folder(folder)
    with written_together():
        for target, draft in zip(targets, drafts, strict=True):
            write_text(target, draft.text)
    return targets
