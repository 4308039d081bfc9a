"""Physics of ions in a solid electrolyte: site energies, diffusivities, fronts, and experiments as data."""

from npp_jax.physics.diffusivity import (
    AbstractDiffusivity,
    Arrhenius,
    ConstantDiffusivity,
    MutualDiffusivity,
    SEDDiffusivity,
)
from npp_jax.physics.drive import Drive, drive_integral, drive_inverse_integral, drive_value
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.fermi_dirac import fermi_dirac_energy, fermi_dirac_occupied
from npp_jax.physics.front_theory import FrontTheory
from npp_jax.physics.front_wave import (
    diffusivity_ratio_from_ramp,
    expected_excess_charge,
    foreign_diffusivity_from_front,
    front_slope,
    front_width,
)
from npp_jax.physics.initial import AbstractInitial, InitialErfc, InitialGaussian, InitialStep, InitialTable
from npp_jax.physics.laws import ExponentialDiffusivity, SplineDiffusivity
from npp_jax.physics.onsager import onsager_coefficient
from npp_jax.physics.protocol import (
    AbstractFront,
    Blocking,
    Closed,
    IonBeamCurrent,
    IonBeamPotential,
    Reservoir,
    Stage,
)
from npp_jax.physics.quantile import normal_distribution, normal_quantile
from npp_jax.physics.sample import Sample
from npp_jax.physics.sed import AbstractSED, GaussianSED, MixtureSED, SlopeSED, TabulatedSED, populated_fwhm
from npp_jax.physics.species import Species

__all__ = [
    "AbstractDiffusivity",
    "AbstractFront",
    "AbstractInitial",
    "AbstractSED",
    "Arrhenius",
    "Blocking",
    "Closed",
    "ConstantDiffusivity",
    "Drive",
    "Experiment",
    "ExponentialDiffusivity",
    "FrontTheory",
    "GaussianSED",
    "InitialErfc",
    "InitialGaussian",
    "InitialStep",
    "InitialTable",
    "IonBeamCurrent",
    "IonBeamPotential",
    "MixtureSED",
    "MutualDiffusivity",
    "Reservoir",
    "SEDDiffusivity",
    "Sample",
    "SlopeSED",
    "Species",
    "SplineDiffusivity",
    "Stage",
    "TabulatedSED",
    "diffusivity_ratio_from_ramp",
    "drive_integral",
    "drive_inverse_integral",
    "drive_value",
    "expected_excess_charge",
    "fermi_dirac_energy",
    "fermi_dirac_occupied",
    "foreign_diffusivity_from_front",
    "front_slope",
    "front_width",
    "normal_distribution",
    "normal_quantile",
    "onsager_coefficient",
    "populated_fwhm",
]
