"""SIMS depth profiles: files of instruments → fractions of the bulk against depth, with their counting statistics.

`read_raw` reads a file as it is, `convert` makes fractions of it, `import_sims` does both; `files.sims_profile` keeps
the result. Whatever is wrong ends in a `SimsFileError` of one line.
"""

from npp_jax.sims.convert import convert
from npp_jax.sims.errors import SimsFileError
from npp_jax.sims.importing import describe, import_sims
from npp_jax.sims.options import ImportOptions
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import Channel, RawProfile
from npp_jax.sims.read import FORMATS, read_raw

__all__ = [
    "FORMATS",
    "Channel",
    "ImportOptions",
    "RawProfile",
    "SimsFileError",
    "SimsProfile",
    "convert",
    "describe",
    "import_sims",
    "read_raw",
]
