"""Array types with named axes.

The axis that has a name comes first; any number of batch axes follows it. Within one call, and within one
dataclass, equal names mean equal lengths. The names are checked at run time in the tests only.

`cell`     finite volumes of the mesh
`face`     boundaries between them and the two ends of the sample; one more than `cell`
`species`  mobile ions
`step`     time steps
`output`   output times
`batch`    candidates, if any
"""

from typing import TypeAlias

from jaxtyping import Array, ArrayLike, Bool, Float, Int

ScalarLike: TypeAlias = Float[ArrayLike, "*batch"] | Int[ArrayLike, "*batch"]
"""A number for each candidate: a Python number or an array."""

Scalar: TypeAlias = Float[Array, "*batch"]
"""A real number for each candidate."""

Count: TypeAlias = Int[Array, "*batch"]
"""An integer for each candidate, for example of iterations or a status."""

Flag: TypeAlias = Bool[Array, "*batch"]
"""A truth value for each candidate."""

CellArray: TypeAlias = Float[Array, "cell *batch"]
"""A value in each cell."""

FaceArray: TypeAlias = Float[Array, "face *batch"]
"""A value on each face."""

SpeciesArray: TypeAlias = Float[Array, "species *batch"]
"""A value for each mobile ion."""

SpeciesCellArray: TypeAlias = Float[Array, "species cell *batch"]
"""A value for each mobile ion in each cell."""

SpeciesFaceArray: TypeAlias = Float[Array, "species face *batch"]
"""A value for each mobile ion on each face."""

StepArray: TypeAlias = Float[Array, "step *batch"]
"""A value after each time step."""

OutputArray: TypeAlias = Float[Array, "output *batch"]
"""A value at each output time."""

OutputCellArray: TypeAlias = Float[Array, "output cell *batch"]
"""A value in each cell at each output time."""

OutputSpeciesCellArray: TypeAlias = Float[Array, "output species cell *batch"]
"""A value for each mobile ion in each cell at each output time."""
