"""Which code a result comes from: what is followed, what counts by its version, and what is left out."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtlbench.core.digests import file_digest, joint_digest, stamp
from mtlbench.core.sources import ASIDE, KERNELS, _distribution, here, manifest_digest, manifest_of, told

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python looks into."""
    monkeypatch.syspath_prepend(tmp_path)
    _distribution.cache_clear()
    return tmp_path


def write(folder: Path, **files: str) -> None:
    """Files by the dotted names of their modules, written with two underscores for a dot."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    importlib.invalidate_caches()


def install(folder: Path, name: str, version: str, *files: str) -> None:
    """What an installer would leave of a distribution."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))


IMPORTS = [
    "import trust_theirs",
    "import trust_theirs as other",
    "from trust_theirs import formula",
    "def late():\n    import trust_theirs",
    "try:\n    import trust_theirs\nexcept ImportError:\n    pass",
    "if True:\n    from trust_theirs import *",
    "import importlib\nmodule = importlib.import_module('trust_theirs')",
    "module = __import__('trust_theirs')",
    "class A:\n    def f(self):\n        from trust_theirs import g",
]


@pytest.mark.parametrize("text", IMPORTS)
def test_every_way_to_import_is_followed_and_nothing_runs(folder: Path, text: str) -> None:
    write(folder, trust_mine=text, trust_theirs="import trust_third", trust_third="raise RuntimeError('it ran')")
    assert set(manifest_of(["trust_mine"])) == {"trust_mine.py", "trust_theirs.py", "trust_third.py"}


def test_circles_packages_and_relative_imports(folder: Path) -> None:
    write(
        folder,
        trust_a="from trust_pack.inner import thing",
        trust_pack____init__="from . import beside",
        trust_pack__beside="import trust_a",
        trust_pack__inner____init__="from ..other import x\nfrom .deep import y",
        trust_pack__other="",
        trust_pack__inner__deep="",
        trust_pack__unused="",
    )
    (folder / "trust_pack" / "__init__.py").write_text("from . import beside")
    (folder / "trust_pack" / "inner" / "__init__.py").write_text("from ..other import x\nfrom .deep import y")
    importlib.invalidate_caches()
    found = manifest_of(["trust_a"])
    assert {name for name in found if name.startswith("trust")} == {
        "trust_a.py",
        "trust_pack/__init__.py",
        "trust_pack/beside.py",
        "trust_pack/inner/__init__.py",
        "trust_pack/inner/deep.py",
        "trust_pack/other.py",
    }
    assert {name: here(name) for name in found} == found


@pytest.mark.parametrize("edited", ["trust_mine", "trust_theirs"])
def test_a_manifest_changes_with_each_of_its_files_and_back(folder: Path, edited: str) -> None:
    write(folder, trust_mine="import trust_theirs", trust_theirs="x = 1")
    before = manifest_of(["trust_mine"])
    path = folder / f"{edited}.py"
    text = path.read_text()
    path.write_text(text + "\n")
    after = manifest_of(["trust_mine"])
    assert told(before, after) == [f"{edited}.py"]
    assert manifest_digest(before) != manifest_digest(after)
    assert here(f"{edited}.py") == after[f"{edited}.py"]
    path.write_text(text)
    assert manifest_of(["trust_mine"]) == before


def test_what_is_installed_counts_by_its_version_and_is_not_followed(folder: Path) -> None:
    write(folder, trust_mine="import trust_lib.part", trust_lib____init__="", trust_lib__part="import trust_hidden")
    (folder / "trust_lib" / "__init__.py").write_text("")
    write(folder, trust_hidden="")
    install(folder, "Trust_Library", "1.2", "trust_lib/__init__.py", "trust_lib/part.py")
    found = manifest_of(["trust_mine"])
    assert {name: text for name, text in found.items() if name != "trust_mine.py"} == {"Trust_Library": "1.2"}
    assert here("Trust_Library") == "1.2"
    assert told(found, {**found, "Trust_Library": "1.3"}) == ["Trust_Library 1.2 → 1.3"]


def test_an_editable_install_counts_by_its_content(folder: Path) -> None:
    """Its distribution lists a pointer, not the files."""
    write(folder, trust_edited="x = 1")
    install(folder, "trust_edited", "1.0", "__editable__.trust_edited-1.0.pth")
    assert set(manifest_of(["trust_edited"])) == {"trust_edited.py"}


def test_the_standard_library_and_what_environments_record_are_left_out(folder: Path) -> None:
    write(folder, trust_mine="import json, os.path, torch, numpy.linalg, sklearn.svm, nowhere_to_be_found")
    assert set(manifest_of(["trust_mine"])) == {"trust_mine.py"}


def test_a_file_that_cannot_be_parsed_counts_too(folder: Path) -> None:
    write(folder, trust_mine="def (")
    assert manifest_of(["trust_mine"]) == {"trust_mine.py": file_digest(folder / "trust_mine.py")}


def test_our_own_code_counts_as_far_as_it_computes() -> None:
    found = manifest_of(["mtlbench.learners.gradient"], {"mlp"})
    assert {"mtlbench/engine/step.py", "mtlbench/ops/task_losses.py", "mtlbench/learners/gradient.py"} <= set(found)
    aside = tuple(name.replace(".", "/") for name in ASIDE)
    assert not [name for name in found if name.startswith(aside) or name.endswith("__init__.py")]
    assert all(name.startswith("mtlbench/") for name in found)  # what it requires is the environment's
    assert {name: here(name) for name in found} == found


def test_a_table_is_followed_to_the_rows_that_are_named() -> None:
    def trunks(*words: str) -> set[str]:
        found = manifest_of(["mtlbench.architectures.shared"], {*words})
        return {name.rpartition("/")[2] for name in found if name.startswith("mtlbench/architectures/trunks/")}

    assert trunks("mlp") - trunks() == {"mlp.py"}
    assert trunks("mlp", "cnn") - trunks("mlp") == {"cnn.py"}


def test_the_kernels_have_one_name_on_every_platform() -> None:
    built = list((ROOT / "mtlbench").glob("_C*.so"))
    assert bool(here(KERNELS)) == bool(built)


def test_reading_sources_imports_none_of_them() -> None:
    code = (
        "import sys, json; from mtlbench.core.sources import manifest_of; "
        "manifest_of(['mtlbench.learners.gradient', 'mtlbench.kernels.bench']); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert not {"torch", "mtlbench.learners.gradient"} & set(loaded)


def test_a_digest_follows_the_file_whatever_its_size_and_time_say(tmp_path: Path) -> None:
    path, other = tmp_path / "data", tmp_path / "other"
    path.write_bytes(b"one")
    other.write_bytes(b"two")
    before, times = file_digest(path), path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    was = stamp(path)
    os.replace(other, path)
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert stamp(path) != was
    assert file_digest(path) != before
    assert joint_digest([]) == ""
    assert joint_digest([path]) != joint_digest([path, path])


def test_what_is_no_file_has_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent"):
        with pytest.raises(OSError, match=r"regular file|No such file|Is a directory"):
            file_digest(path)
