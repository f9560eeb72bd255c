"""The source distribution has all that builds the kernels, and a wheel built from it works on its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pandas as pd
import pytest

from .conftest import SUITE

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository, to know its files")
# What git tracks and a source distribution leaves out: results of runs, and what only the repository itself is for.
LEFT_OUT = ("results/", ".clang-format", ".gitignore", ".pre-commit-config.yaml")


def _run(*words: str | Path, folder: Path, **variables: str) -> str:
    """A command's output; its PYTHONPATH is empty, so that it sees what is installed and not this checkout."""
    surroundings = {**os.environ, "PYTHONPATH": "", "COLUMNS": "300", "NO_COLOR": "1", **variables}
    command = [str(word) for word in words]
    ended = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution of the files that git tracks."""
    folder = tmp_path_factory.mktemp("packaging")
    checkout = folder / "checkout"  # a copy, since setuptools writes beside the sources
    for name in _tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    _run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, checkout, folder=folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def test_the_source_distribution_has_every_tracked_file(source: Path) -> None:
    expected = {name for name in _tracked() if not name.startswith(LEFT_OUT)}
    packed = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert any(name.startswith("csrc/cuda/") for name in expected)
    assert not expected - packed
    assert {name for name in packed - expected if ".egg-info/" not in name} == {"PKG-INFO", "setup.cfg"}
    for name in expected:
        assert (source / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_a_wheel_built_from_it_works_on_its_own(source: Path, tmp_path: Path) -> None:
    # Without kernels: compiling them takes minutes, and that their sources are complete is tested above.
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    _run(*build, source, folder=tmp_path, MTLBENCH_BUILD="0")
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    _run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, folder=tmp_path)
    # The packages that mtlbench depends on, from this environment. Its own .pth files are not read, so that an editable
    # mtlbench is not seen.
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(packages) + "\n")

    where = _run(python, "-c", "import mtlbench; print(mtlbench.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(site)
    command = python.parent / "mtlbench"
    assert "uncertainty" in _run(command, "list", "weightings", folder=tmp_path)
    (tmp_path / "small.yaml").write_text(SUITE)
    _run(command, "run", "small.yaml", "--executor", "serial", "--seeds", "1", "--out", "out", folder=tmp_path)
    assert "<html" in (tmp_path / "out" / "report.html").read_text()
    assert set(pd.read_csv(tmp_path / "out" / "tables" / "methods.csv")["method"]) == {"single-task", "equal", "fixed"}
