"""Differentiable Nernst–Planck–Poisson simulation of ion exchange in solid electrolytes.

Names are loaded when they are first used: a command can be interrupted, or refused, before JAX is there.
"""

import importlib
from typing import TYPE_CHECKING, Any

from npp_jax._version import __version__

if TYPE_CHECKING:
    from npp_jax import figures, tracer
    from npp_jax.explorer.run import explore
    from npp_jax.files import ConfigError, load_experiment
    from npp_jax.files.profile_table import read_profile
    from npp_jax.files.solution import read_solution, write_csv, write_solution
    from npp_jax.files.study import load_study
    from npp_jax.files.sweep_export import write_sweep_arrays, write_sweep_table
    from npp_jax.fitting import (
        Estimate,
        FitResult,
        Measurement,
        NoiseModel,
        Problem,
        data_warnings,
        law_bands,
        sample_posterior,
        synthetic_profile,
    )
    from npp_jax.fitting.couple import CoupleFit, fit_couple
    from npp_jax.inference import Parameter, ParameterError, Posterior, PosteriorOptions, Prior
    from npp_jax.observe import (
        DepthProfile,
        DowsettResponse,
        GaussianLikelihood,
        GaussianResponse,
        MRIResponse,
        NoResponse,
        NuisancePrior,
        Observation,
        PoissonLikelihood,
        Record,
        StudentLikelihood,
    )
    from npp_jax.physics import (
        Arrhenius,
        Blocking,
        Closed,
        ConstantDiffusivity,
        Drive,
        Experiment,
        ExponentialDiffusivity,
        GaussianSED,
        InitialErfc,
        InitialGaussian,
        InitialStep,
        InitialTable,
        IonBeamCurrent,
        IonBeamPotential,
        MixtureSED,
        MutualDiffusivity,
        Reservoir,
        Sample,
        SEDDiffusivity,
        Species,
        SplineDiffusivity,
        Stage,
        TabulatedSED,
    )
    from npp_jax.physics.boltzmann_matano import Interdiffusion, boltzmann_matano
    from npp_jax.planning import Plan, Proposal, plan, proposed
    from npp_jax.sims import ImportOptions, SimsProfile, import_sims
    from npp_jax.simulation.controls import Controls
    from npp_jax.simulation.simulate import ACCURATE, FAST, FINE, FINEST, simulate
    from npp_jax.simulation.solution import Report, Solution, Trace
    from npp_jax.simulation.status import STATUS_ADVICE, Status
    from npp_jax.simulation.supported import Unsupported
    from npp_jax.simulation.to_target import simulate_to_target
    from npp_jax.sweeping import (
        Certificates,
        Grid,
        KeptProfiles,
        LatinHypercube,
        Sobol,
        SweepResult,
        Table,
        TrainingData,
        Uniform,
        Workers,
        accepted,
        best,
        fit,
        rank,
        read_sweep,
        read_table,
        sweep,
        training_data,
        weights,
    )

_NAMES = {
    "npp_jax.files": "ConfigError load_experiment",
    "npp_jax.physics": """
        Arrhenius Blocking Closed ConstantDiffusivity Drive Experiment ExponentialDiffusivity GaussianSED InitialErfc
        InitialGaussian InitialStep InitialTable IonBeamCurrent IonBeamPotential MixtureSED MutualDiffusivity Reservoir
        Sample SEDDiffusivity Species SplineDiffusivity Stage TabulatedSED
    """,
    "npp_jax.physics.boltzmann_matano": "Interdiffusion boltzmann_matano",
    "npp_jax.simulation.controls": "Controls",
    "npp_jax.simulation.simulate": "ACCURATE FAST FINE FINEST simulate",
    "npp_jax.simulation.solution": "Report Solution Trace",
    "npp_jax.simulation.status": "STATUS_ADVICE Status",
    "npp_jax.simulation.supported": "Unsupported",
    "npp_jax.simulation.to_target": "simulate_to_target",
    "npp_jax.files.profile_table": "read_profile",
    "npp_jax.files.solution": "read_solution write_csv write_solution",
    "npp_jax.files.study": "load_study",
    "npp_jax.files.sweep_export": "write_sweep_arrays write_sweep_table",
    "npp_jax.explorer.run": "explore",
    "npp_jax.fitting": """
        Estimate FitResult Measurement NoiseModel Problem data_warnings law_bands sample_posterior synthetic_profile
    """,
    "npp_jax.fitting.couple": "CoupleFit fit_couple",
    "npp_jax.inference": "Parameter ParameterError Posterior PosteriorOptions Prior",
    "npp_jax.observe": """
        DepthProfile DowsettResponse GaussianLikelihood GaussianResponse MRIResponse NoResponse NuisancePrior
        Observation PoissonLikelihood Record StudentLikelihood
    """,
    "npp_jax.planning": "Plan Proposal plan proposed",
    "npp_jax.sims": "ImportOptions SimsProfile import_sims",
    "npp_jax.sweeping": """
        Certificates Grid KeptProfiles LatinHypercube Sobol SweepResult Table TrainingData Uniform Workers accepted best
        fit rank read_sweep read_table sweep training_data weights
    """,
}
_LAZY = {module: tuple(names.split()) for module, names in _NAMES.items()}
"""Names that are loaded when they are first used, by the module that has them; the same as above for type checkers."""

_HOME = {name: module for module, names in _LAZY.items() for name in names}
_PARTS = ("figures", "tracer")
"""Packages that are loaded when they are first used."""

__all__ = [
    "ACCURATE",
    "FAST",
    "FINE",
    "FINEST",
    "STATUS_ADVICE",
    "Arrhenius",
    "Blocking",
    "Certificates",
    "Closed",
    "ConfigError",
    "ConstantDiffusivity",
    "Controls",
    "CoupleFit",
    "DepthProfile",
    "DowsettResponse",
    "Drive",
    "Estimate",
    "Experiment",
    "ExponentialDiffusivity",
    "FitResult",
    "GaussianLikelihood",
    "GaussianResponse",
    "GaussianSED",
    "Grid",
    "ImportOptions",
    "InitialErfc",
    "InitialGaussian",
    "InitialStep",
    "InitialTable",
    "Interdiffusion",
    "IonBeamCurrent",
    "IonBeamPotential",
    "KeptProfiles",
    "LatinHypercube",
    "MRIResponse",
    "Measurement",
    "MixtureSED",
    "MutualDiffusivity",
    "NoResponse",
    "NoiseModel",
    "NuisancePrior",
    "Observation",
    "Parameter",
    "ParameterError",
    "Plan",
    "PoissonLikelihood",
    "Posterior",
    "PosteriorOptions",
    "Prior",
    "Problem",
    "Proposal",
    "Record",
    "Report",
    "Reservoir",
    "SEDDiffusivity",
    "Sample",
    "SimsProfile",
    "Sobol",
    "Solution",
    "Species",
    "SplineDiffusivity",
    "Stage",
    "Status",
    "StudentLikelihood",
    "SweepResult",
    "Table",
    "TabulatedSED",
    "Trace",
    "TrainingData",
    "Uniform",
    "Unsupported",
    "Workers",
    "__version__",
    "accepted",
    "best",
    "boltzmann_matano",
    "data_warnings",
    "explore",
    "figures",
    "fit",
    "fit_couple",
    "import_sims",
    "law_bands",
    "load_experiment",
    "load_study",
    "plan",
    "proposed",
    "rank",
    "read_profile",
    "read_solution",
    "read_sweep",
    "read_table",
    "sample_posterior",
    "simulate",
    "simulate_to_target",
    "sweep",
    "synthetic_profile",
    "tracer",
    "training_data",
    "weights",
    "write_csv",
    "write_solution",
    "write_sweep_arrays",
    "write_sweep_table",
]


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"npp_jax.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'npp_jax' has no attribute {name!r}")
    # Kept, so that the next use does not come here.
    return globals().setdefault(name, getattr(importlib.import_module(_HOME[name]), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
