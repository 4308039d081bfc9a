"""The reader of TOML: a table, or one line that the tables themselves make."""

import itertools
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from npp_jax.commands.tracer.study import ArrheniusStudy, EvolutionStudy, MapStudy, ProfileStudy
from npp_jax.commands.tracer.tables import SpecimenTable
from npp_jax.files import ConfigError, ConfigTable
from npp_jax.files.experiment_tables import ExperimentTable, SpeciesTable
from npp_jax.files.next_tables import ProposalTable
from npp_jax.files.parameter_table import ParameterTable
from npp_jax.files.study_tables import ExperimentEntry, RivalTable, StudyTable
from npp_jax.files.toml import place_of, read_toml, tables_in
from npp_jax.files.wording import wording
from npp_jax.physics.keys import allowed_range

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class Layer(ConfigTable):
    """[[parts.layers]]."""

    thickness_nm: Annotated[float, Field(gt=0.0)]
    share: dict[str, Share] | None = None
    rate_m_s: Annotated[float, Field(gt=0.0, le=1.0)] | list[Annotated[float, Field(gt=0.0, le=1.0)]] | None = None


class Part(ConfigTable):
    """[[parts]]; the name of its list is that of a key elsewhere."""

    thickness_nm: Annotated[float, Field(gt=0.0, le=50.0)] = 1.0
    layers: list[Layer] = Field(default_factory=list)
    core: Layer | None = None


class Small(ConfigTable):
    """kind = "small"."""

    kind: Literal["small"]
    parts: list[Part] = Field(default_factory=list)


class Large(ConfigTable):
    """kind = "large"."""

    kind: Literal["large"]
    core: Part


def read(folder: Path, text: str) -> Small | Large:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_toml(path, Small, Large)


def test_the_kind_tells_the_table(tmp_path: Path) -> None:
    assert read(tmp_path, 'kind = "small"') == Small(kind="small")
    assert read(tmp_path, 'kind = "large"\n[core]\nthickness_nm = 2') == Large(kind="large", core=Part(thickness_nm=2))
    small = Path(tmp_path / "small.toml")
    small.write_text('kind = "small"')
    assert read_toml(small, Small) == Small(kind="small")


SMALL = 'kind = "small"\n[[parts]]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kind: missing key; allowed are small, large"),
        ("kind = 3", "kind = 3; allowed are small, large"),
        ("sample = 1", "this is an experiment file, for `npp-jax simulate`"),
        ('kind = "large"', "core: missing key"),
        ("kind = ", "not a TOML file: "),
        ("x = 1\ny" + ".z" * 300 + " = 1", "line 2: not a TOML file: a key within keys without end"),
        ("[y" + """ . 'z z' . "z\\"z" """ * 150 + "]", "line 1: not a TOML file: a key within keys without end"),
        ("x = 'a.b'" + "# y.z" * 300 + "\nkind = 3", "kind = 3; allowed are small, large"),
        # The same key has another range in another table, and tables of the same name have other keys.
        (
            SMALL + "thickness_nm = 60",
            "parts[0].thickness_nm = 60: must be greater than 0 and less than or equal to 50",
        ),
        (
            SMALL + "[[parts.layers]]\nthickness_nm = -1",
            "parts[0].layers[0].thickness_nm = -1: must be greater than 0",
        ),
        (
            SMALL + "[parts.core]\nthickness_nm = 1\nshares = 1",
            "parts[0].core.shares: unknown key; did you mean 'share'?",
        ),
        (
            'kind = "large"\n[core]\nzzz = 1',
            "core.zzz: unknown key; known keys: core, layers, thickness_nm",
        ),
        # Keys of the user's own, and values of several types.
        (
            SMALL + "[parts.core]\nthickness_nm = 1\nshare = {Li = 1.0}",
            "parts[0].core.share.Li = 1.0: must be greater than or equal to 0 and less than 1",
        ),
        (
            SMALL + "[parts.core]\nthickness_nm = 1\nrate_m_s = 2.0",
            "parts[0].core.rate_m_s = 2.0: must be greater than 0 and less than or equal to 1",
        ),
        # Of what its square or inverse would be no number.
        (SMALL + "thickness_nm = 1e-300", "parts[0].thickness_nm = 1e-300: no quantity is so small"),
        (SMALL + "thickness_nm = 5e-324", "parts[0].thickness_nm = 5e-324: no quantity is so small"),
        (SMALL + "thickness_nm = 1e300", "parts[0].thickness_nm = 1e+300: must be greater than 0 and less than or"),
        (SMALL + "[parts.core]\nthickness_nm = 1e300", "parts[0].core.thickness_nm = 1e+300: no quantity is so large"),
        (
            SMALL + "[parts.core]\nthickness_nm = 1\nrate_m_s = [0.5, 1e-300]",
            "parts[0].core.rate_m_s = a list: 1e-300: no quantity is so small",
        ),
        (
            SMALL + "[parts.core]\nthickness_nm = 1\nshare = {Li = 1e-300}",
            "parts[0].core.share = a table: 1e-300: no quantity is so small",
        ),
        (SMALL + "thickness_nm = true", "parts[0].thickness_nm = true: a number is needed"),
        (
            SMALL + "layers = {}",
            "parts[0].layers: write [[parts.layers]] in double brackets, as there may be several",
        ),
        (SMALL + "layers = 3", "parts[0].layers = 3: a list is needed: one [[parts.layers]] each"),
        (SMALL + "layers = [3]", "parts[0].layers[0]: each entry is a table: write [[parts.layers]]"),
        (SMALL + "core = 2024-01-01", "parts[0].core = 2024-01-01: a table is needed: [parts.core] and its keys"),
        (SMALL + "core = []", "parts[0].core: write [parts.core] in single brackets, as there is only one"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'study.toml'}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a = 1\nsed_fwhm_eV = 0,25  # eV", "; line 2: numbers have a decimal point, 0.25 and not 0,25"),
        ("x = -1,5e-3", "; line 1: numbers have a decimal point, -1.5 and not -1,5"),
        ('a = "1,5"\nb = [1,2]\nc = ', ""),
    ],
)
def test_a_decimal_comma_is_told(text: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a TOML file") as caught:
        read(tmp_path, text)
    assert str(caught.value).endswith(hint) if hint else "decimal point" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        read_toml(tmp_path / "none.toml", Small)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("sample.permittivity", "greater than or equal to 1 and less than or equal to 10000"),
        ("stages.0.potential_V", "greater than 0 and less than or equal to 100000"),
        ("Li.vacancy_fraction", "greater than 0 and less than 1"),
        ("K.bulk_fraction", "greater than or equal to 0 and less than or equal to 1"),
        ("observation.depth_scale", ""),
        ("Li.sed_slope_eV.3", ""),
    ],
)
def test_range_of_a_key(key: str, text: str) -> None:
    assert str(allowed_range(key)) == text


LIBRARY = re.compile(r"nput should|valid |validation|pars|instance of|pydantic", re.IGNORECASE)
ABSURD = (1e30, 1.5, 10**400, float("nan"), "", "abc", True, [], [[]], ["a"], {}, {"a": 1}, date(2024, 1, 1))


def tables_of(table: type[ConfigTable]) -> Iterator[type[ConfigTable]]:
    """A table and those within it."""
    yield table
    for field in table.model_fields.values():
        for inner in tables_in(field.annotation):
            yield from tables_of(inner)


@pytest.mark.parametrize("root", [StudyTable, ExperimentTable, ProfileStudy, EvolutionStudy, MapStudy, ArrheniusStudy])
def test_no_value_makes_a_message_in_the_words_of_the_library(root: type[ConfigTable]) -> None:
    said = set()
    for table in tables_of(root):
        for name, value in itertools.product(table.model_fields, ABSURD):
            try:
                table.model_validate({name: value})
            except ValidationError as error:
                for problem in error.errors():
                    if problem["type"] not in ("missing", "extra_forbidden", "value_error"):
                        place = place_of(problem["loc"], table)
                        said.add(wording(problem, place.name, place.field))
    assert len(said) > 40
    assert [text for text in said if LIBRARY.search(text)] == []
    if root is StudyTable:
        limits = "greater than or equal to 1 and less than or equal to 1073741824"
        assert f"candidates = 1e+30: a whole number is needed, {limits}" in said


@pytest.mark.parametrize("odd", ["K\nb", "K\rb", "K\x1b[2J", "\u202eK", "\ufeffK", "K\u2028b", "$\\frac{$"])
@pytest.mark.parametrize(
    "table", [SpeciesTable, ExperimentEntry, ParameterTable, RivalTable, ProposalTable, SpecimenTable]
)
def test_no_name_breaks_what_it_is_written_into(table: type[ConfigTable], odd: str) -> None:
    """A title with a line end in it could not be read again, and a figure takes dollar signs for a formula."""

    def problems(name: str) -> list[str]:
        try:
            table.model_validate({"name": name})
        except ValidationError as error:
            return [problem["msg"] for problem in error.errors() if problem["loc"] == ("name",)]
        return []

    (told,) = problems(odd)
    assert told.startswith("a name has no ")
    assert not problems("Gläser\N{NO-BREAK SPACE}[10 %], #1 <b>")
