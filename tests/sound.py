"""Sound files of every kind that the readers of the project read, small ones."""

import functools
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from npp_jax.files.sims_profile import write_profile
from npp_jax.files.solution import write_solution
from npp_jax.sims import ImportOptions, import_sims
from npp_jax.simulation.quantities import REPORT, SOLUTION, TRACE, Quantity
from npp_jax.simulation.solution import Report, Solution, Trace


def surfacelab() -> bytes:
    rows = ["# Profile Smoothing is Disabled", "#\t\t\t\ttotal\t^7Li+\tK+\tK+\tLi+ / ( K+ )\t"]
    rows += ["#\t\t\t\tN/A\t7.0154\t38.9632\t38.9632\tN/A\t"]
    rows += ["#Data Point #\tSputter Time (s)\tDose (ions)\tFluence (ions/cm^2)" + "\tIntensity" * 5 + "\t"]
    rows += [f"{k + 1}\t{1.5 * k:g}\t1e9\t{1e13 * k:.6g}\t9{k}0.5\t{k}.00012\t{9 - k}.0007\t0\tinf\t" for k in range(9)]
    return "\r\n".join([*rows, "10\t13.5\t1e9\t1e14\t0\t0\t0\t0\tinf\t", ""]).encode()


def cameca() -> bytes:
    rows = ["*** DATA FILES ***", "", "Sample ID\t\tglass", "", "*** DATA START ***", "", "a.dp", "7Li\t\t\t\t\t39K"]
    rows += ["Time\tDepth[um]\tI[cnt/s]\tTime\tDepth[um]\tC[atom/cm3]"]
    rows += [f"\t{k}.1E-003\t{k}.00994E+000\t\t{k}.4E-003\t1.2{k}E+015" for k in range(8)]
    rows += ["", "*** DATA END ***", "", "*** ACQUISITION PARAMETERS ***", "", "# of data point/species\t\t8\t"]
    rows += ["Total sputtering time (s)\t200\t", "", "*** MEASUREMENT CONDITIONS, a.dp ***:", ""]
    rows += ["Species | Mass (amu) | CT(s)", "---", "7Li | 7.016 | 1.040", "39K | 38.96 | 1.040", ""]
    rows += ["EM yield (%)\t\t9.5E+001\t", "", "*** ION DETECTOR PARAMETERS ***", "EM -> FC threshold (c/s)\t694356"]
    rows += ["*** CALIBRATION PARAMETERS ***", "", "  Mean SR (nm/min)\t9.0E+001", "    Species\t\t39K"]
    rows += ["      RSF  (at/cm3)\t3.4E+013", ""]
    return "\r\n".join(rows).encode()


def sims_table() -> bytes:
    rows = ["Probe: Glas; counting time (s): 0,5", "Sputter Time;7Li+;39K+;Rest", "s;counts;counts/s;%"]
    return "\n".join([*rows, *(f"{k},25;{3 * k};{k},5;{'N/A' if k == 3 else k}" for k in range(9)), ""]).encode(
        "utf-16"
    )


def sims_pairs() -> bytes:
    rows = ["depth_um,Li_counts,depth_um,K", *(f"{0.1 * k:g},{k},{0.1 * k + 0.05:g},{k * k}" for k in range(9))]
    return b"\xef\xbb\xbf" + "\n".join(rows).encode()


SAMPLE = """schema_version = 1
[sample]
thickness_um = 500.0
permittivity = 9.0
bulk_density_m3 = 1.4e28
"""
LITHIUM = """[[species]]
name = "Li"
charge = 1
bulk_fraction = 1.0
[species.diffusivity]
law = "sed"
conductivity_S_m = 1e-7
sed_fwhm_eV = 0.25
vacancy_fraction = 0.1
"""
POTASSIUM = """[[species]]
name = "K"
bulk_fraction = 0.0
[species.diffusivity]
law = "constant"
D_m2_s = 1e-21
"""
BEAM = """[[stages]]
front = "ion-beam"
beam = "K"
temperature_K = 330.0
"""
EXPERIMENT = (
    SAMPLE + LITHIUM + POTASSIUM + BEAM + "potential_V = 30.0\ncharge_C_m2 = 50.0\noutput_charges_C_m2 = [20.0, 50.0]\n"
)
TRACED = SAMPLE + LITHIUM + POTASSIUM + BEAM + 'potential_trace = "trace.csv"\nduration_s = 90\n'
MIXTURE = (
    SAMPLE
    + LITHIUM.replace("bulk_fraction = 1.0", "bulk_fraction = 0.7")
    + POTASSIUM.replace("bulk_fraction = 0.0", "bulk_fraction = 0.3")
    + '[[stages]]\nfront = "reservoir"\ntemperature_K = 500.0\nduration_h = 1.0\n'
    + "reservoir_fraction = { Li = 0.2, K = 0.8 }\n"
    + '[[stages]]\nfront = "closed"\ntemperature_K = 300.0\nduration_s = 60\n'
)  # fmt: skip
STUDY = """schema_version = 1
title = "potassium"
[[experiments]]
name = "K"
file = "experiment.toml"
profile = "profile.csv"
first_depth_nm = 1.0
counts_per_fraction = 2000.0
response = { kind = "dowsett", leading_nm = 0.8, trailing_nm = 2.5, sigma_nm = 1.5 }
likelihood = { kind = "poisson" }
[[parameters]]
name = "sed_fwhm_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.15
high = 0.40
[[parameters]]
name = "D_K_m2_s"
keys = ["K.D_m2_s"]
experiments = ["K"]
low = 3e-22
high = 3e-21
scale = "log"
prior_mean = 1e-21
prior_sigma = 0.5
[design]
kind = "sobol"
candidates = 64
[fit]
starts = 4
[[fit.rivals]]
name = "sharp"
without = ["sed_fwhm_eV"]
set = { "Li.filling" = "fermi-dirac" }
"""
TABLED = STUDY.replace('kind = "sobol"\ncandidates = 64', 'kind = "table"\nfile = "design.csv"').partition("[[fit.")[0]
TRACER = 'schema_version = 1\nkind = "{}"\n'
EXCHANGE = (
    TRACER.format("profile")
    + '[profile]\nfile = "isotopes.csv"\nzero_um = 0.1\n[model]\nduration_h = 2.0\nstart_D_m2_s = 1e-14\n'
)
EVOLUTION = TRACER.format("evolution") + """[fit]
start_D_m2_s = 1e-14
reference_temperature_K = 300.0
start_energy_eV = 0.3
[[specimens]]
name = "one"
exchanged.file = "isotopes.csv"
[[specimens.anneals]]
duration_h = 3.0
temperature_K = 300.0
profile = { file = "counts.csv", background_light_counts = 1.0 }
[[specimens.anneals]]
duration_h = 3.0
temperature_K = 350.0
profile.file = "counts.csv"
"""  # fmt: skip
CHAIN = TRACER.format("chain") + """[chain]
sizes_um = [16.0, 22.0]
D_bulk_m2_s = 2.6e-12
permeability_m_s = [2e-8]
initial = 0.1
[[stages]]
duration_h = 0.5
source = 0.95
profile.file = "isotopes.csv"
"""  # fmt: skip
MAP = TRACER.format("map") + """[map]
labels = "grains.npy"
pixel_um = 1.0
D_bulk_m2_s = 2.6e-12
permeability_m_s = 3e-8
[[stages]]
duration_h = 0.5
source = 0.95
[counts]
light = "light.npy"
heavy = "heavy.npy"
[[cuts]]
start_um = [1.0, 0.0]
end_um = [1.0, 6.0]
width_um = 2.0
interval_um = 1.0
"""  # fmt: skip
ARRHENIUS = TRACER.format("arrhenius") + """[[lines]]
name = "tracer"
temperature_K = [300.0, 350.0, 400.0]
D_m2_s = [1e-15, 1e-14, 1e-13]
relative_error = 0.1
[[lines]]
name = "cait"
prefactor_m2_s = 1e-6
energy_eV = 0.5
[[haven]]
tracer = "tracer"
conductivity = "cait"
temperature_K = [320.0]
"""  # fmt: skip


def _table(head: str, *rows: str) -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def _german(content: bytes) -> bytes:
    return content.replace(b",", b";").replace(b".", b",").replace(b"\n", b"\r\n")


@functools.cache
def texts() -> dict[str, bytes]:
    """Contents of the files of text by their names."""
    trace = _table("# amplifier\ntime_s,potential_V", *(f"{10.0 * k},{10.0173 + k / 7:.4f}" for k in range(10)))
    profile = _table(
        "# synthetic\ndepth_nm,Li,Li_sigma,K,K_sigma",
        *(
            f"{3.0 * k + 0.5},{k / 11:.4f},{0.01 + k / 900:.5f},{1 - k / 11:.4f},{0.02 - k / 900:.5f}"
            for k in range(12)
        ),
    )
    isotopes = _table(
        "position_um,fraction,fraction_sigma", *(f"{0.1 * k:.2f},{0.9 / (k + 1):.4f},0.01" for k in range(9))
    )
    files = {
        "surfacelab": surfacelab(),
        "cameca": cameca(),
        "sims_table": sims_table(),
        "sims_pairs": sims_pairs(),
        "trace.csv": trace,
        "trace_de.csv": _german(trace.replace(b"time_s,potential_V", b"Zeit (s),U [V]")),
        "profile.csv": profile,
        "profile_de.csv": _german(profile.replace(b"depth_nm", "Tiefe (Å)".encode())),
        "design.csv": _table("sed_fwhm_eV,D_K_m2_s", *(f"{0.2 + k / 90},{(k + 4) * 1e-22}" for k in range(6))),
        "design_one.csv": _table("sed_fwhm_eV", *(f"{0.2 + k / 90:.3f}".replace(".", ",") for k in range(6))),
        "isotopes.csv": isotopes,
        "counts.csv": _table(
            "depth_nm\tlight_counts\theavy_counts", *(f"{50 * k}\t{90 - 9 * k}\t{9 * k + 5}" for k in range(9))
        ),
        "experiment.toml": EXPERIMENT.encode(),
        "traced.toml": TRACED.encode(),
        "mixture.toml": MIXTURE.encode(),
        "study.toml": STUDY.encode(),
        "tabled.toml": TABLED.encode(),
        "exchange": EXCHANGE.encode(),
        "evolution": EVOLUTION.encode(),
        "chain": CHAIN.encode(),
        "map": MAP.encode(),
        "arrhenius": ARRHENIUS.encode(),
    }  # fmt: skip
    return files


def solution() -> Solution:
    """A solution of a few points, by its form alone."""
    size = {"output": 2, "species": 2, "point": 5, "face": 4, "step": 3}

    def arrays(quantities: dict[str, Quantity]) -> dict[str, Any]:
        whole = ("iterations", "status")
        return {
            name: jnp.arange(1.0, 1.0 + np.prod([size[d] for d in quantity.dims], dtype=int))
            .reshape([size[d] for d in quantity.dims])
            .astype(int if name in whole else float)
            * (1e-9 if quantity.units == "m" else 1)
            for name, quantity in quantities.items()
        }

    report = Report(**{**arrays(REPORT), "steps": 3, "cells": 3})
    return Solution(species=("Li", "K"), model="full", trace=Trace(**arrays(TRACE)), report=report, **arrays(SOLUTION))


def write_sound_files(folder: Path) -> dict[str, bytes]:
    """Write them all, and results of the commands; return their contents."""
    for name, content in texts().items():
        (folder / name).write_bytes(content)
    write_profile(
        folder / "imported.h5", import_sims(folder / "sims_pairs", ImportOptions({"Li": "Li"}, bulk_nm=(300.0, 800.0)))
    )
    write_solution(folder / "solution.h5", solution(), experiment_text=EXPERIMENT, command="npp-jax simulate")
    # Made of the files above by `npp-jax sweep`, of four candidates with profiles on a grid of five points.
    (folder / "sweep.h5").write_bytes((Path(__file__).parent / "text" / "data" / "sweep.h5").read_bytes())
    results = ("imported.h5", "solution.h5", "sweep.h5")
    return {**texts(), **{name: (folder / name).read_bytes() for name in results}}
