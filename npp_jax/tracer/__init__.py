"""Isotope exchange and tracer diffusion, with and without grain boundaries."""

from npp_jax.tracer import closed_forms
from npp_jax.tracer.boundaries import (
    chain_diffusivity,
    chain_of_grains,
    measure_step,
    permeability_from_series,
    permeability_of_step,
    series_diffusivity,
)
from npp_jax.tracer.chain_fit import fit_boundaries
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.diffusion import (
    Closed,
    ConstantSurface,
    DiffusionStage,
    SurfaceExchange,
    TracerMedium,
    cell_means,
    diffuse,
    profile_at,
)
from npp_jax.tracer.evolution import evolve_exchange_profile, evolve_measured_profile, exchange_profile
from npp_jax.tracer.fit import Anneal, Specimen, activation, fit_evolution
from npp_jax.tracer.fractions import Fractions
from npp_jax.tracer.grain_fit import fit_permeability
from npp_jax.tracer.grain_map import GrainMap, grain_map
from npp_jax.tracer.isotope import isotope_fraction, line_scan
from npp_jax.tracer.isotope_map import MapStage, simulate_map
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.polycrystal import voronoi_polycrystal
from npp_jax.tracer.profile_fit import fit_profile
from npp_jax.tracer.tracer_fit import TracerFit
from npp_jax.tracer.transport import ArrheniusFit, diffusion_length, fit_arrhenius, haven_ratio

__all__ = [
    "Anneal",
    "ArrheniusFit",
    "Closed",
    "ConstantSurface",
    "DiffusionStage",
    "Fractions",
    "GrainMap",
    "IsotopeCounts",
    "MapStage",
    "MeasuredProfile",
    "Specimen",
    "SurfaceExchange",
    "TracerFit",
    "TracerMedium",
    "activation",
    "cell_means",
    "chain_diffusivity",
    "chain_of_grains",
    "closed_forms",
    "diffuse",
    "diffusion_length",
    "evolve_exchange_profile",
    "evolve_measured_profile",
    "exchange_profile",
    "fit_arrhenius",
    "fit_boundaries",
    "fit_evolution",
    "fit_permeability",
    "fit_profile",
    "grain_map",
    "haven_ratio",
    "isotope_fraction",
    "line_scan",
    "measure_step",
    "permeability_from_series",
    "permeability_of_step",
    "profile_at",
    "series_diffusivity",
    "simulate_map",
    "voronoi_polycrystal",
]
