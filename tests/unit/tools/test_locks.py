"""The lock files: what they hold, and the tool that makes them."""

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.locks import CUDA_ONLY, Entries, cpu_entry, entries

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "0123456789abcdef" * 4
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
PINNED = re.compile(r"^[a-z0-9][a-z0-9.-]*==\S+( ; .+)? \\$")


def locked(part: str) -> Entries:
    return entries((ROOT / f"requirements{part}.lock").read_text())


def pins(*parts: str) -> set[str]:
    """Names and versions; without the label of a build."""
    return {
        entry.partition(" ")[0].removesuffix("+cpu")
        for part in parts
        for entry in locked(part).values()
    }


@pytest.mark.parametrize("part", ["", "-cpu", "-cuda", "-dev"])
def test_a_lock_file_has_nothing_but_pinned_versions_and_hashes(part: str) -> None:
    lines = (ROOT / f"requirements{part}.lock").read_text().splitlines()
    starts = [line for line in lines if PINNED.match(line)]
    hashes = [line for line in lines if HASH.match(line)]
    comments = [line for line in lines if line.startswith("#")]
    assert len(starts) + len(hashes) + len(comments) == len(lines)
    assert len(starts) == len(locked(part))


def test_each_group_of_the_project_is_in_its_lock_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runtime = pins("")
    assert asked(project["project"]["dependencies"]) <= runtime
    assert asked(groups["torch"]) <= pins("-cpu")
    assert asked(groups["torch"] + groups["cuda"]) <= pins("-cuda")
    assert asked(groups["dev"]) <= runtime | pins("-cpu", "-dev")


def asked(requirements: list[str]) -> set[str]:
    plain = {re.sub(r"\[.*\]", "", requirement) for requirement in requirements}
    return {requirement.lower().replace("_", "-") for requirement in plain}


def test_the_builds_of_pytorch_differ_in_pytorch_and_cuda_alone() -> None:
    cpu = locked("-cpu")
    cuda = locked("-cuda")
    assert {name for name in cuda if not CUDA_ONLY.fullmatch(name)} == set(cpu)
    assert {name for name in cpu if cpu[name] != cuda[name]} == {"torch"}
    assert not {"torch", "torchvision", "timm"} & set(locked(""))


def test_the_cpu_build_has_a_hash_for_each_python_on_both_processors() -> None:
    assert locked("-cpu")["torch"].count("--hash=") == 2 * len(
        ("311", "312", "313", "314")
    )


def test_the_hashes_of_a_build_are_read_from_pytorchs_page() -> None:
    names = (
        "torch-2.1.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.1.0%2Bcpu-cp310-cp310-manylinux_2_28_x86_64.whl",
        "torch-2.1.0%2Bcpu-cp311-cp311-win_amd64.whl",
        "torch-2.0.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    )
    page = "".join(
        f'<a href="/whl/cpu/{name}#sha256={index}{DIGEST[1:]}">{name}</a>'
        for index, name in enumerate(names)
    )
    assert cpu_entry(page, "2.1.0") == (
        f"torch==2.1.0+cpu \\\n    --hash=sha256:0{DIGEST[1:]}"
    )
    assert cpu_entry(page, "3.0.0") is None


@pytest.mark.parametrize("is_the_file", [True, False])
def test_a_file_of_another_hash_is_not_installed(
    tmp_path: Path, is_the_file: bool
) -> None:
    wheel = tmp_path / "part-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("part.py", "")
        archive.writestr("part-1.dist-info/METADATA", "Name: part\nVersion: 1\n")
        archive.writestr(
            "part-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("part-1.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest() if is_the_file else DIGEST
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"part==1 --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-index"]
    command += ["--only-binary=:all:", "--find-links", str(tmp_path), "-r", str(lock)]
    command += ["--target", str(tmp_path / "installed")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode == 0) is is_the_file
    assert (tmp_path / "installed" / "part.py").exists() is is_the_file
    assert ("DO NOT MATCH THE HASHES" in done.stderr) is not is_the_file
