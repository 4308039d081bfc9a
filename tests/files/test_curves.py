"""Tables of laws and of profiles at the start: what is out of range is one line, with its place."""

from pathlib import Path

import pytest

from npp_jax.files import ConfigError
from npp_jax.files.curves import read_initial, read_law


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fraction,D_m2_s\n0,1e-15\n100,1e-14\n", "line 3: fraction = 100 is more than 20 n/n_bulk"),
        ("fraction,D_m2_s\n0,1e15\n1,1e-14\n", "line 2: D_m2_s = 1e15 is out of range"),
        ("fraction,D_m2_s\n-0.5,1e-15\n1,1e-14\n", "line 2: fraction = -0.5 is less than no ions"),
        ("fraction,lnD_m2_s\n0,20\n1,19\n", "line 2: lnD_m2_s = 20 is out of range"),
        ("fraction;D_m2_s\n1,100;1,100\n1,200;1,200\n", "thousands"),
        ("fraction,D_m2_s\n" + "".join(f"{k / 2000},1e-15\n" for k in range(1200)), "at most 1000"),
    ],
)
def test_wrong_laws(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "D.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"D\.csv") as found:
        read_law(tmp_path / "D.csv")
    assert told in str(found.value) and "\n" not in str(found.value)


def test_laws_in_per_cent_and_other_units(tmp_path: Path) -> None:
    (tmp_path / "D.csv").write_text("fraction [%],D [cm²/s]\n0,1e-11\n100,1e-10\n", encoding="utf-8")
    fraction, D = read_law(tmp_path / "D.csv")
    assert fraction.tolist() == [0.0, 1.0] and D.tolist() == pytest.approx([1e-15, 1e-14])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("depth_um,K\n-10,0.1\n10,0.9\n", "line 2: depth_um = -10 lies above the sample"),
        ("depth_um,K\n200,0.1\n400,0.9\n", "begins at 200 µm, the sample ends at 100 µm"),
    ],
)
def test_profiles_beside_the_sample(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "start.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        read_initial(tmp_path / "start.csv", "K", 100e-6)
    assert told in str(found.value)
