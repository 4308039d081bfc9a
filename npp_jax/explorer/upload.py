"""Another profile from the browser: a table of this package, a profile it imported, or a SIMS file with its options."""

import base64
import binascii
import dataclasses
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.models import Button, Div, FileInput, Select, TextInput
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.controls import WIDTH
from npp_jax.explorer.serve import LARGEST_FILE
from npp_jax.explorer.subject import check_species
from npp_jax.explorer.work import later
from npp_jax.files import ConfigError
from npp_jax.files.profile_table import read_profile
from npp_jax.files.sims_profile import read_profile as read_imported
from npp_jax.files.sims_profile import write_profile
from npp_jax.files.study_out import Source
from npp_jax.fitting import Measurement, Problem, with_systematic
from npp_jax.fitting.systematic import is_systematic
from npp_jax.observe import GaussianLikelihood, GaussianResponse, Observation, PoissonLikelihood, differs_by_ion
from npp_jax.sims import ImportOptions, import_sims
from npp_jax.sims.errors import SimsFileError
from npp_jax.sims.importing import describe
from npp_jax.sims.read import read_raw
from npp_jax.text.pairs import values_by_name

if TYPE_CHECKING:
    from npp_jax.explorer.page import Page

_HELP = (
    "A table depth_nm, NAME, NAME_sigma or a profile of <code>npp-jax import-sims</code> needs nothing more; with the "
    "counts at fraction one a table needs no NAME_sigma. "
    "Of a SIMS file give the channels, as <code>Li=7Li+, K=39K+</code>."
)


class Upload:
    """Loads a profile into one of the experiments; the browser sends the file itself, never a path."""

    def __init__(self, page: "Page") -> None:
        self._page = page
        names: list[Any] = [m.name for m in page.session.subject.problem.measurements]
        half = (WIDTH - 30) // 2
        self._experiment = Select(title="Profile of", value=names[0], options=names, width=half, name="profile of")
        self._counts = TextInput(title="counts at fraction one", width=half, name="counts")
        self._experiment.on_change("value", lambda attr, old, new: self._as_before())
        self._as_before()
        self._channels = TextInput(title="SIMS channels", width=half, name="channels")
        self._crater = TextInput(title="crater depth / nm", width=half, name="crater")
        self._bulk = TextInput(title="bulk / nm, as 800:1000", width=half)
        self._normalise = TextInput(title="normalise, as K=sum", width=half)
        self._surface = TextInput(title="first depth / nm", width=half)
        self._reference = TextInput(title="channel of the matrix", width=half)
        self._sigma = TextInput(title="σ of the crater depth / nm", width=half, name="crater sigma")
        self._background = TextInput(title="background, as K=800:1000", width=half, name="background")
        self._file = FileInput(accept=".csv,.txt,.dat,.asc,.h5,.tsv", width=WIDTH - 20, name="profile file")
        # The browser tells the name after the content.
        self._file.on_change("value", lambda attr, old, new: later(page.document, self._load))
        again = Button(label="Load again with these options", width=WIDTH - 20, name="again")
        again.on_click(self._load)
        self._options = Column(
            children=[
                Row(children=[self._channels, self._crater]),
                Row(children=[self._bulk, self._normalise]),
                Row(children=[self._surface, self._reference]),
                Row(children=[self._sigma, self._background]),
                again,
            ],
            visible=False,
        )
        more = Button(label="Options of a SIMS file", width=WIDTH - 20, button_type="light")
        more.on_click(lambda: setattr(self._options, "visible", not self._options.visible))
        words = Div(text=f"<b>Load another profile</b><br>{_HELP}", width=WIDTH - 20, styles={"font-size": "12px"})
        self.column = Column(
            children=[words, Row(children=[self._experiment, self._counts]), self._file, more, self._options], spacing=1
        )

    def _as_before(self) -> None:
        """Another profile of an experiment is of counts as the one that is there, until something else is typed."""
        measurements = self._page.session.subject.problem.measurements
        profile = next(m for m in measurements if m.name == self._experiment.value).profile
        known = None if profile is None else profile.counts_per_fraction
        counts = np.unique(np.asarray(known)) if known is not None else np.zeros(0)
        self._counts.value = f"{counts[0]:.10g}" if len(counts) == 1 and np.isfinite(counts[0]) else ""

    def _load(self) -> None:
        try:
            content, name = self._file.value, self._file.filename
        except UnsetValueError:
            return
        if not isinstance(content, str) or not isinstance(name, str) or not name:
            return
        if not content:
            self._page.say(f"{Path(name).name}: the file is empty")
            return
        name = Path(name).name
        try:
            with tempfile.TemporaryDirectory(prefix="npp_jax_") as folder:
                try:
                    self._take(content, name, Path(folder))
                except (ConfigError, SimsFileError, ValueError) as error:
                    text = str(error)
                    # The name under which the file lies here says nothing to the user.
                    for own in Path(folder).iterdir():
                        text = text.replace(str(own), name)
                    self._page.say(" ".join(text.split())[:600])
        except OSError as error:
            # No place to lay it down, as on a full disk.
            self._page.say(f"{name}: cannot be read: {error.strerror or error}")

    def _take(self, content: str, name: str, folder: Path) -> None:
        if len(content) > LARGEST_FILE * 4 // 3 + 4:
            raise ConfigError(f"{name}: larger than {LARGEST_FILE // 2**20} MiB")
        try:
            data = base64.b64decode(content, validate=True)
        except binascii.Error:
            raise ConfigError(f"{name}: it did not arrive whole") from None
        ending = Path(name).suffix.lower()
        path = (folder / "profile").with_suffix(
            ending if ending in (".h5", ".csv", ".txt", ".dat", ".asc", ".tsv") else ".txt"
        )
        path.write_bytes(data)
        session = self._page.session
        problem = session.subject.problem
        old = next(m for m in problem.measurements if m.name == self._experiment.value)
        path = self._imported(path) if self._channels.value.strip() else path
        before = {p.name for p in problem.parameters}
        measurement = self._measurement(old, path, name)
        check_species(measurement, name)
        base = tuple(p for p in problem.parameters if not (is_systematic(p) and p.experiments == (old.name,)))
        measurements = tuple(measurement if m is old else m for m in problem.measurements)
        found = with_systematic(Problem(measurements, base))
        profiles = {**session.subject.profiles, old.name: Source.of(path)}
        session.subject = dataclasses.replace(session.subject, profiles=profiles)
        self._page.go_on(found)
        told = told_of(measurement, name) + told_of_sliders(before, {p.name for p in found.parameters}, name)
        warnings = read_imported(path).warnings if path.suffix == ".h5" else ()
        self._page.say(told, *(f"Warning: {_of_the_page(line)}" for line in warnings))

    def _measurement(self, old: Measurement, path: Path, name: str) -> Measurement:
        """The measurement with another profile; how it is seen stays, as far as it fits."""
        counts = None if not self._counts.value.strip() else _number("counts at fraction one", self._counts.value)
        first = _number("first depth", self._surface.value) if self._surface.value.strip() else 0.0
        try:
            profile = read_profile(path, counts_per_fraction=None if path.suffix == ".h5" else counts)
        except ConfigError as error:
            try:
                told = describe(read_raw(path))
            except SimsFileError:
                raise error from None
            if path.suffix == ".h5":
                raise
            self._options.visible = True
            raise ConfigError(
                f"{name} is no table of fractions ({error}); it holds {'; '.join(told[1:])}. "
                "Give the SIMS channels below and load it again."
            ) from None
        if first > 0.0:
            kept = jnp.where(profile.depth >= first, profile.weight, 0.0)
            profile = eqx.tree_at(lambda p: p.weight, profile, kept)
        seen = old.observation
        likelihood = PoissonLikelihood() if profile.counts is not None else GaussianLikelihood()
        if type(old.likelihood) is type(likelihood):
            likelihood = old.likelihood
        scale, ratio = (1.0, 1.0) if seen is None else (float(seen.depth_scale), float(seen.sputter_ratio))
        response = GaussianResponse(0.0) if seen is None else seen.response
        if differs_by_ion(response) and (old.profile is None or old.profile.species != profile.species):
            raise ConfigError(
                f"{name}: the study tells the depth resolution of other ions than {', '.join(profile.species)}"
            )
        seen = Observation(response, depth_scale=scale, sputter_ratio=ratio)
        return Measurement(old.name, old.experiment, profile, seen, old.nuisance, likelihood, old.output)

    def _imported(self, path: Path) -> Path:
        """Profile of a SIMS file, by the options of the page."""
        channels = _named("SIMS channels", self._channels.value)
        normalise = _named("normalise", self._normalise.value)
        low, _, high = self._bulk.value.partition(":")
        bulk = (_number("bulk", low), _number("bulk", high)) if self._bulk.value.strip() else None
        crater = _number("crater depth", self._crater.value) if self._crater.value.strip() else None
        options = ImportOptions(
            species=channels, normalise=normalise, bulk_nm=bulk, crater_depth_nm=crater,
            crater_sigma_nm=_number("σ of the crater depth", self._sigma.value.strip() or "0"),
            surface_nm=_number("first depth", self._surface.value.strip() or "0"),
            background=backgrounds(self._background.value), reference=self._reference.value.strip() or None,
        )  # fmt: skip
        target = path.with_suffix(".h5")
        write_profile(target, import_sims(path, options), command="npp-jax explore")
        return target


def told_of(measurement: Measurement, name: str) -> str:
    """How many depths and ions a profile has, as χ² counts them."""
    profile = measurement.profile
    assert profile is not None
    ions, depths = len(profile.species), len(profile.depth)
    counted = int(np.sum(np.asarray(profile.weight) > 0.0))
    less = f", of which {counted} count" if counted < ions * depths else ""
    of = f"{depths} depths of {ions} {'ion' if ions == 1 else 'ions'} ({', '.join(profile.species)})"
    return f"{measurement.name}: {of}, {ions * depths} points of {name}{less}."


def told_of_sliders(before: set[str], after: set[str], name: str) -> str:
    """Which sliders of systematic errors went or came with a profile, and why; nothing where none did."""
    gone, new = sorted(before - after), sorted(after - before)
    text = f" Sliders that are gone: {', '.join(gone)}; {name} tells no such systematic error." if gone else ""
    return text + (f" New sliders: {', '.join(new)}, systematic errors that {name} tells." if new else "")


def backgrounds(text: str) -> dict[str, tuple[float, float] | float]:
    """Backgrounds by species of `K=800:1000, Li=0.4`: depths in nm over which it is the mean, or ions a point."""
    found: dict[str, tuple[float, float] | float] = {}
    for name, value in _named("background", text).items():
        low, sign, high = value.partition(":")
        found[name] = (_number("background", low), _number("background", high)) if sign else _number("background", low)
    return found


_FIELDS = {
    "--surface-nm": "first depth",
    "--background": "background",
    "--bulk-nm": "bulk",
    "--normalise": "normalise",
    "--crater-depth-nm": "crater depth",
    "--crater-sigma-nm": "σ of the crater depth",
    "--reference": "channel of the matrix",
}
"""What an option of the command is called on the page."""


def _of_the_page(warning: str) -> str:
    """A warning of an import, with the fields of the page in place of the options of the command."""
    return re.sub(r"--[a-z-]+", lambda found: f"“{_FIELDS[found[0]]}”" if found[0] in _FIELDS else found[0], warning)


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ConfigError(f"{name}: '{text[:40]}' is not a number") from None


def _named(field: str, text: str) -> dict[str, str]:
    """Values by name of `K=39K+, Li=7Li+`."""
    try:
        return values_by_name(field, (item for item in text.split(",") if item.strip()))
    except ValueError as error:
        raise ConfigError(str(error)) from None
