"""How programs are compiled, and where they are kept between runs."""

from npp_jax._compile.cache import mend_cache, open_to
from npp_jax._compile.known import concrete
from npp_jax._compile.options import jit_small, once, own_promotion, quick, wide
from npp_jax._compile.programs import Program, keep_programs, signature

__all__ = [
    "Program",
    "concrete",
    "jit_small",
    "keep_programs",
    "mend_cache",
    "once",
    "open_to",
    "own_promotion",
    "quick",
    "signature",
    "wide",
]
