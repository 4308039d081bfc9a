"""What is given as NAME=VALUE."""

from collections.abc import Iterable

from npp_jax.text.names import repeated


def values_by_name(field: str, texts: Iterable[str]) -> dict[str, str]:
    """Values by name of texts such as `K=39K+`; ValueError, with the field, if one is no pair or a name comes twice."""
    found: list[tuple[str, str]] = []
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise ValueError(f"{field}: '{text.strip()[:40]}'; NAME=VALUE is needed")
        found.append((name, value))
    twice = repeated(name for name, _ in found)
    if twice is not None:
        given = " and as ".join(value for name, value in found if name == twice)
        raise ValueError(f"{field}: {twice} is given twice, as {given}")
    return dict(found)
