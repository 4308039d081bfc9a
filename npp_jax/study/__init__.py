"""Study files: experiments, measured profiles, the parameters that vary, and the design of a sweep."""

from npp_jax.study.loading import Study, load_study
from npp_jax.study.rivals import SLOPE, Rival

__all__ = ["SLOPE", "Rival", "Study", "load_study"]
