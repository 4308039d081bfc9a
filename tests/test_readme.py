"""The Python of README.md and of the pages of examples runs, block by block, in the order of the page."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SMALL

from npp_jax.observe import AbstractLikelihood, AbstractResponse, DepthProfile
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import simulate

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def folder(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page reads is there as in the repository, what it writes stays in a folder of the test."""
    (tmp_path / "sweeps").symlink_to(project_root / "sweeps", target_is_directory=True)
    monkeypatch.chdir(tmp_path)


def run_page(path: Path) -> dict[str, object]:
    """Names that the blocks of a page leave, run as they stand."""
    names: dict[str, object] = {}
    for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
        line = path.read_text(encoding="utf-8")[: match.start()].count("\n") + 1
        code = "\n" * line + match[1]
        exec(compile(code, str(path), "exec"), names)
    return names


def test_readme(project_root: Path, capsys: pytest.CaptureFixture):
    names = run_page(project_root / "README.md")
    found = names["result"]["sed_fwhm_eV"]
    # The profile was made with 0.25 eV.
    assert found.interval[0] < 0.25 < found.interval[1]
    assert found.how == "profile likelihood"
    assert "status: converged" in capsys.readouterr().out


@pytest.mark.slow
def test_page_of_python(project_root: Path):
    names = run_page(project_root / "docs" / "python.md")
    assert names["result"]["sed_fwhm_eV"].sigma > 0.0
    D = names["tracer_fit"]["D_m2_s"]
    # The counts were drawn with 8e-13 m²/s.
    assert D.interval[0] < 8e-13 < D.interval[1]
    assert D.how.startswith("profile likelihood")


def test_page_of_examples(project_root: Path):
    names = run_page(project_root / "docs" / "examples.md")
    assert 0.0759 < float(names["seen"].min()) < float(names["seen"].max()) < 0.95
    # The apparent D_gb/δ of the step is near that of the chain.
    assert 0.25 < float(names["line"].energy) < 0.45
    assert names["wider"].shape == (1, 40)


@pytest.mark.slow
def test_page_of_extending(project_root: Path):
    names = run_page(project_root / "docs" / "extending.md")
    solution = names["solution"]
    assert int(solution.report.status) == 0
    # Every foreign ion replaces a native one: the area above the native profile is the charge passed.
    depth = solution.faces[-1]
    taken = float(((1.0 - solution.fraction[-1][0][1:-1]) * (depth[1:] - depth[:-1])).sum())
    assert abs(taken / (200.0 / (1.602176634e-19 * 1.4e28)) - 1.0) < 2e-3
    check_law_of_a_user(names["PowerDiffusivity"], names["experiment"])
    check_response_of_a_user(names["BoxResponse"](4.0))
    check_likelihood_of_a_user(names["LaplaceLikelihood"](), names["profile"])
    assert names["found"].points.sum() > 0


def check_response_of_a_user(response: AbstractResponse) -> None:
    """Moments and running integrals of the cumulative function, by the trapezoidal rule."""
    z = jnp.linspace(-5.0, 5.0, 20001)
    cumulative = response.cdf(z)
    middle, weight = 0.5 * (z[1:] + z[:-1]), jnp.diff(cumulative)
    assert float((middle**2 * weight).sum()) == pytest.approx(float(response.variance), rel=1e-4)
    below = z < 0.0
    integral = jnp.trapezoid(jnp.where(below, cumulative, 0.0), z)
    assert float(response.tail_integral(jnp.array(-1e-9))) == pytest.approx(float(integral), rel=1e-3)


def check_likelihood_of_a_user(likelihood: AbstractLikelihood, profile: DepthProfile) -> None:
    """Half the sum of squares is the drop of the log-likelihood, and draws have the standard deviation that is said."""
    best, other = profile.fraction, profile.fraction + 2.0 * profile.sigma
    drop = likelihood.log_likelihood(best, profile) - likelihood.log_likelihood(other, profile)
    assert 0.5 * float((likelihood.residuals(other, profile) ** 2).sum()) == pytest.approx(float(drop), rel=1e-3)
    drawn = likelihood.draw(np.random.default_rng(0), np.tile(np.asarray(best), (400, 1, 1)), profile)
    ratio = np.std(drawn, axis=0) / np.asarray(profile.sigma)
    assert float(np.mean(ratio)) == pytest.approx(1.0, abs=0.01)


def check_law_of_a_user(law: Callable[..., Any], experiment: Experiment) -> None:
    """A batch is its members; derivatives agree forward, reverse and with differences."""

    def plateau(power: jax.Array) -> jax.Array:
        native = dataclasses.replace(experiment.species[0], diffusivity=law(1.3e-18, power))
        varied = dataclasses.replace(experiment, species=(native, experiment.species[1]))
        return simulate(varied, SMALL).plateau[-1]

    step = 1e-3
    powers = jnp.asarray([3.0 - step, 3.0, 3.0 + step])
    batch = jax.jit(jax.vmap(plateau))(powers)
    value, reverse = jax.jit(jax.value_and_grad(plateau))(powers[1])
    _, forward = jax.jit(lambda at: jax.jvp(plateau, (at,), (jnp.ones_like(at),)))(powers[1])
    np.testing.assert_allclose(batch[1], value, rtol=1e-10)
    np.testing.assert_allclose(forward, reverse, rtol=1e-7)
    # The mesh follows the front in a difference, and stands still in a derivative.
    np.testing.assert_allclose((batch[2] - batch[0]) / (2.0 * step), forward, rtol=1e-3)


def test_the_page_of_studies_names_every_file_and_its_figures(project_root: Path) -> None:
    folder = project_root / "sweeps"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [f.name for f in sorted(folder.glob("*.toml")) if f"| {f.name} |" not in text] == []
    figures = set(re.findall(r"\]\((figures/\w+\.png)\)", text))
    assert figures == {f"figures/{f.name}" for f in (folder / "figures").glob("*.png")}
