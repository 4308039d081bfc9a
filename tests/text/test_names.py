"""Names of many columns are compared in a time that goes with their number, not with its square."""

import pytest

from npp_jax.sims.raw import number_repeated
from npp_jax.text.names import fault_of_name, repeated


class Compared(str):
    """A name that counts how often it is compared."""

    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str(self) == other

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("names", "twice"), [([], None), (["a", "b"], None), (["a", "b", "c", "b", "a"], "b"), (["", ""], "")]
)
def test_the_first_name_that_is_there_twice(names: list[str], twice: str | None):
    assert repeated(names) == twice


def test_thousands_of_names():
    names: list[str] = [Compared(f"name {k}") for k in range(3000)]
    Compared.times = 0
    assert repeated(names) is None and number_repeated(names) == names
    # One for each that is in a set or table already, and one for each of the last line.
    assert Compared.times <= 5 * len(names)


def test_a_name_has_an_end():
    assert fault_of_name("x" * 200) is None
    assert fault_of_name("x" * 201) == "a name has at most 200 signs"
