"""The next experiment: what each of some proposals would tell about the parameters of a study, and about its rivals."""

from npp_jax.planning.contrast import expected_delta_chi2
from npp_jax.planning.information import Information, information
from npp_jax.planning.plan import Plan, evaluate, middle, plan, told, with_data, with_own
from npp_jax.planning.proposal import Proposal, proposed, shared_parameters
from npp_jax.planning.ranking import Ranked, choose, rank, worth

__all__ = [
    "Information",
    "Plan",
    "Proposal",
    "Ranked",
    "choose",
    "evaluate",
    "expected_delta_chi2",
    "information",
    "middle",
    "plan",
    "proposed",
    "rank",
    "shared_parameters",
    "told",
    "with_data",
    "with_own",
    "worth",
]
