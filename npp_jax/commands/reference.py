"""Pages on every key of the files that people write, made from the tables that read them."""

import json
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from npp_jax.commands.examples import example_of
from npp_jax.commands.schema import ROOTS, Kind, tables_of
from npp_jax.files.errors import ConfigTable
from npp_jax.files.limits import limits_of
from npp_jax.physics.keys import INITIAL, ION, LISTS, RESERVOIR, SAMPLE, STAGE, unit_at_end
from npp_jax.physics.limits import Limits

_HEADS: dict[str, tuple[str, str]] = {
    "experiment": ("Keys of an experiment file", "What `npp-jax simulate` reads, and the `file` of a study."),
    "study": ("Keys of a study file", "What `npp-jax sweep` and `npp-jax fit` read."),
    "tracer": ("Keys of a tracer study", "What `npp-jax tracer` reads; the key `kind` says which of these it is."),
    "tables": (
        "Columns of tables of numbers",
        "Traces, profiles, candidates and isotope profiles: text tables in any encoding, with any separator.",
    ),
}
_PLAIN = {float: "number", int: "whole number", str: "text", bool: "true or false", Any: "any"}
_UNITS = {"1": "", "um": "µm", "m2 s-1": "m²/s", "m s-1": "m/s", "S m-1": "S/m", "m-3": "1/m³", "mC cm-2": "mC/cm²"}
_UNITS |= {"C m-2": "C/m²", "A m-2": "A/m²"}

_COLUMNS: dict[str, list[tuple[str, str, str, str, str]]] = {
    "Trace: `potential_trace`, `current_density_trace` of a stage": [
        ("`time_s`", "s, or another in its title", "increasing, over the stage to 1 %", "`0.0`", "time from its start"),
        ("`potential_V`", "V, or another", "{potential_V}; 0 where the beam is off", "`10.0`", "surface potential"),
        ("`current_density_A_m2`", "A/m², or another", "{current_density_A_m2}; 0 at rest", "`0.002`", "of the beam"),
    ],
    "Law of D: `table` of a diffusivity": [
        ("`fraction`", "1, or %", "increasing", "`0.2`", "fraction that the law takes"),
        ("`D_m2_s`", "m²/s, or another in its title", "> 0", "`2e-15`", "diffusion coefficient"),
    ],
    "Start: `table` of an [[initial]] profile": [
        ("`depth_um` or `depth_nm`", "µm, or another in its title", "increasing", "`120.0`", "depth of a point"),
        ("`NAME`", "1, or %", "finite", "`0.74`", "fraction n/N of the ion"),
    ],
    "Profile: `profile` of an experiment in a study": [
        ("`depth_nm`", "nm, or another in its title", "increasing", "`12.5`", "depth of a point"),
        ("`NAME`", "1, or %", "finite, ≤ 3", "`0.93`", "fraction of an ion, over the native ion in the bulk"),
        (
            "`NAME_sigma`",
            "as `NAME`",
            "> 0",
            "`0.02`",
            "its standard deviation; without, that of `counts_per_fraction`",
        ),
    ],
    "Record: `file` of `current`, `potential` or `charge` of an experiment in a study": [
        ("`time_s`", "s, or another in its title", "increasing, ≥ 0", "`60.0`", "time from the start of the protocol"),
        ("`current_density_A_m2`", "A/m², or another", "finite", "`0.0019`", "of `current`"),
        ("`potential_V`", "V, or another", "finite", "`10.2`", "of `potential`"),
        ("`charge_C_m2`", "C/m², or another", "finite", "`201.0`", "of `charge`"),
    ],
    "Candidates: `file` of a design": [
        ("names of the parameters", "those of the names", "within those of the keys", "`1e-21`", "one candidate a row"),
    ],
    "Isotope profile: `file` of a tracer study": [
        ("`position_um` or `depth_um`", "µm, or another in its title", "increasing", "`120.0`", "position of a point"),
        ("`fraction`", "1, or %", "finite", "`0.74`", "isotope fraction"),
        ("`fraction_sigma`", "as `fraction`", "> 0", "`0.01`", "its standard deviation"),
        ("`light_counts`", "counts", "≥ 0", "`412`", "of the light isotope, instead of fractions"),
        ("`heavy_counts`", "counts", "≥ 0", "`1588`", "of the heavy isotope"),
    ],
}


def page(kind: Kind | Literal["tables"]) -> str:
    """Page of a kind of file, in Markdown."""
    title, text = _HEADS[kind]
    made = f"Made by `npp-jax schema {kind} --markdown` from the tables that read these files."
    lines = [f"# {title}", "", f"{text} {made}", ""]
    if kind == "tables":
        for name, rows in _COLUMNS.items():
            lines += [f"## {name}", "", "| column | unit | range | example | meaning |", "|---|---|---|---|---|"]
            ranges = {key: range_text(STAGE[key].limits) for key in ("potential_V", "current_density_A_m2")}
            lines += [f"| {' | '.join(cell.format(**ranges) for cell in row)} |" for row in rows] + [""]
        return "\n".join(lines)
    if kind == "study":
        lines += _parameter_keys()
    told: set[type[ConfigTable]] = set()
    for root in ROOTS[kind]:
        for table in tables_of(root):
            if table not in told:
                told.add(table)
                lines += _section(table)
    return "\n".join(lines)


def _parameter_keys() -> list[str]:
    """Keys of the experiments that a parameter may name."""
    lines = ["## Keys that a parameter may name", "", "| key | unit | range |", "|---|---|---|"]
    parts = (
        ("sample.", SAMPLE),
        ("NAME.", ION),
        ("NAME.", LISTS),
        ("initial.NAME.", INITIAL),
        ("stages.0.", STAGE),
        ("stages.0.", RESERVOIR),
    )
    for part, table in parts:
        end = {id(LISTS): ".0", id(RESERVOIR): ".NAME"}.get(id(table), "")
        for name, key in table.items():
            unit = unit_at_end(name)[1]
            lines.append(f"| `{part}{name}{end}` | {_UNITS.get(unit, unit)} | {range_text(key.limits)} |")
    seen = (
        "depth_scale",
        "depth_offset_nm",
        "sputter_ratio",
        *(f"response.{width}_nm" for width in ("leading", "trailing", "sigma", "mixing", "roughness", "information")),
    )
    gains = ("current.gain", "potential.gain", "charge.gain")
    for name in (*seen, "NAME.response.WIDTH_nm", "NAME.sensitivity", "NAME.background", *gains):
        lines.append(f"| `observation.{name}` | {'nm' if name.endswith('_nm') else ''} | |")
    told = (
        "NAME is an ion, WIDTH a width of the response told for each ion, 0 the number of a stage or of an entry; "
        "`npp-jax check EXPERIMENT.toml` lists those of a file."
    )
    return [*lines, "", told, ""]


def _section(table: type[ConfigTable]) -> list[str]:
    head, _, more = (table.__doc__ or "").strip().partition("\n")
    lines = [f"## {head.rstrip('.')}", "", *([" ".join(more.split()), ""] if more.strip() else [])]
    lines += ["| key | value | unit | range | default | example | meaning |", "|---|---|---|---|---|---|---|"]
    for key, field in table.model_fields.items():
        unit = unit_at_end(key)[1]
        example = example_of(table.__name__, key) if not _is_table(field.annotation) else None
        cells = (
            f"`{key}`",
            type_text(field.annotation),
            _UNITS.get(unit, unit),
            range_text(limits_of(field)) if not _is_table(field.annotation) else "",
            _default(field),
            "" if example is None else f"`{toml_value(example)}`",
            " ".join((field.description or "").split()),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def type_text(annotation: Any) -> str:
    """What may be written for a field, in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if origin is Literal:
        return ", ".join(f"`{toml_value(choice)}`" for choice in parts)
    if origin in (types.UnionType, Union):
        return " or ".join(dict.fromkeys(type_text(part) for part in parts if part is not type(None)))
    if origin is list:
        return f"list: {type_text(parts[0])}"
    if origin is tuple:
        return f"{len(parts)} numbers"
    if origin is dict:
        return f"table: {type_text(parts[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, ConfigTable):
        return "table"
    return type_text(parts[0]) if parts else str(annotation)


def range_text(limits: Limits) -> str:
    """A range, such as `> 0, ≤ 2`; nothing where there is none."""
    ends = ((">" if limits.low_open else "≥", limits.low), ("<" if limits.high_open else "≤", limits.high))
    return ", ".join(f"{sign} {end:g}" for sign, end in ends if abs(end) != float("inf"))


def toml_value(value: Any) -> str:
    """A value as it is written in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(toml_value, value))}]"
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {toml_value(entry)}" for key, entry in value.items()) + " }"
    return str(value)


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, ConfigTable):
        return "its own defaults"
    return f"`{toml_value(value)}`" if value != "" else "empty"


def _is_table(annotation: Any) -> bool:
    return (isinstance(annotation, type) and issubclass(annotation, ConfigTable)) or any(
        _is_table(part) for part in get_args(annotation)
    )
