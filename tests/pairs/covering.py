"""Sets of choices in which every pair of options of different tables meets at least once."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

Choice = dict[str, str]


def covering(tables: Mapping[str, Sequence[str]], *, seed: int = 0, tries: int = 60) -> list[Choice]:
    """Choices, one option of each table, that cover all pairs: greedy, the best of some random rows at a time."""
    rng = random.Random(seed)
    names = list(tables)
    missing = {((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in tables[a] for y in tables[b]}
    rows = []
    while missing:
        # Each try starts from a pair that is missing, so that every row covers at least one.
        candidates = [_completed(dict(rng.choice(sorted(missing))), tables, missing, rng) for _ in range(tries)]
        best = max(candidates, key=lambda row: len(missing & set(pairs_of(row, names))))
        missing -= set(pairs_of(best, names))
        rows.append(best)
    return rows


def touching(tables: Mapping[str, Sequence[str]]) -> list[Choice]:
    """Few choices in which every option occurs at least once, beside the first options of most other tables."""
    count = max(len(options) for options in tables.values())
    rows = [{name: options[0] for name, options in tables.items()} for _ in range(count)]
    for shift, (name, options) in enumerate(tables.items()):
        for k, option in enumerate(options[1:]):
            rows[(shift + k) % count][name] = option
    return rows


def pairs_of(row: Choice, names: Sequence[str]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """All pairs of options in a row."""
    return (((a, row[a]), (b, row[b])) for a, b in itertools.combinations(names, 2))


def _completed(row: Choice, tables: Mapping[str, Sequence[str]], missing: set, rng: random.Random) -> Choice:
    """The row with an option for each other table, the one that adds most of the missing pairs."""
    names = list(tables)
    for name in rng.sample([n for n in names if n not in row], len(names) - len(row)):

        def gain(option: str, name: str = name) -> tuple[int, float]:
            together = [
                tuple(sorted(((name, option), (k, v)), key=lambda at: names.index(at[0]))) for k, v in row.items()
            ]
            return sum(pair in missing for pair in together), rng.random()

        row[name] = max(tables[name], key=gain)
    return {name: row[name] for name in names}
