"""Makes the lock files anew from `pyproject.toml`, with the hash of every published file.

    python tools/locks.py [--upgrade]

Needs uv (`pip install uv`) and PyPI. Versions that a lock file already pins stay, unless
`pyproject.toml` or `--upgrade` asks for others. The hashes of PyTorch's CPU build come from
PyTorch's own index; where that does not answer, those of the lock file stay if the version does.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
BASE, CPU, CUDA, DEV = (
    ROOT / f"requirements{part}.lock" for part in ("", "-cpu", "-cuda", "-dev")
)
TORCH_CPU_PAGE = "https://download.pytorch.org/whl/cpu/torch/"
OLDEST_PYTHON = "3.11"
CPU_WHEEL = re.compile(
    r'/torch-([\d.]+)(?:%2B|\+)cpu-cp31[1-4]-cp31[1-4]-manylinux_\w+\.whl#sha256=(\w{64})"'
)
"""A build for Linux and the Pythons that have wheels of all packages."""
ENTRY = re.compile(r"^([a-z0-9][a-z0-9.-]*)==\S+[^\n]*(?:\n    --hash=[^\n]*)+", re.M)
CUDA_ONLY = re.compile(r"(?:nvidia|cuda)-.*|triton")
HEADER = "# {}\n# Made by tools/locks.py: change pyproject.toml, then run it again.\n"

Entries = dict[str, str]
"""For each package its entry in a lock file: the pinned version and the hashes."""


def entries(text: str) -> Entries:
    """Return the entries of the text of a lock file."""
    return {match[1]: match[0] for match in ENTRY.finditer(text)}


def cpu_entry(page: str, version: str) -> str | None:
    """Return PyTorch's entry with the hashes that a page of its index has for a version."""
    hashes = sorted(
        digest for found, digest in CPU_WHEEL.findall(page) if found == version
    )
    if not hashes:
        return None
    lines = [f"torch=={version}+cpu", *(f"    --hash=sha256:{item}" for item in hashes)]
    return " \\\n".join(lines)


def compile_entries(requirements: list[str], pinned: str) -> Entries:
    """Return the entries of these requirements and all that they need, on every platform.

    Parameters
    ----------
    requirements : as in `pyproject.toml`
    pinned : the text of lock files whose versions are kept
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "requirements.in")
        target = Path(folder, "requirements.txt")
        source.write_text("\n".join(requirements))
        target.write_text(pinned)
        command = ["uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", OLDEST_PYTHON, "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--output-file", str(target)]
        subprocess.run([*command, str(source)], check=True)
        return entries(target.read_text())


def cpu_torch(version: str) -> str:
    """Return the entry of PyTorch's CPU build. Exits if its hashes are not to be had."""
    try:
        with urlopen(TORCH_CPU_PAGE, timeout=30) as answer:
            entry = cpu_entry(answer.read().decode(), version)
    except URLError:
        entry = None
    present = entries(CPU.read_text()).get("torch", "") if CPU.exists() else ""
    if entry is None and present.startswith(f"torch=={version}+cpu "):
        print(f"{TORCH_CPU_PAGE} does not answer: its hashes stay as they are")
        entry = present
    if entry is None:
        sys.exit(f"{TORCH_CPU_PAGE} has no CPU build of torch {version}, or is silent")
    return entry


def write(path: Path, title: str, locked: Entries) -> None:
    body = "".join(f"{locked[name]}\n" for name in sorted(locked))
    path.write_text(HEADER.format(title) + body)
    print(f"{path.name}: {len(locked)} packages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true")
    upgrades = parser.parse_args().upgrade
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runtime = project["project"]["dependencies"]
    present = [path for path in (BASE, CUDA, DEV) if path.exists() and not upgrades]
    pinned = "\n".join(path.read_text() for path in present)

    everything = runtime + groups["torch"] + groups["cuda"] + groups["dev"]
    all_entries = compile_entries(everything, pinned)
    resolved = "\n".join(all_entries.values())
    base = compile_entries(runtime, resolved)
    with_torch = compile_entries(
        runtime + groups["torch"] + groups["cuda"], resolved
    ).items()
    cuda = {name: entry for name, entry in with_torch if entry != base.get(name)}
    cpu = {name: entry for name, entry in cuda.items() if not CUDA_ONLY.match(name)}
    version = cuda["torch"].partition("==")[2].split()[0]
    cpu["torch"] = cpu_torch(version)
    dev = {
        name: entry
        for name, entry in all_entries.items()
        if entry not in (base.get(name), cuda.get(name))
    }
    write(BASE, "What the running system needs, without PyTorch.", base)
    write(CPU, "PyTorch without CUDA, and what it pulls in.", cpu)
    write(CUDA, "PyTorch with CUDA, and what it pulls in.", cuda)
    write(DEV, "What ./sera test needs besides.", dev)


if __name__ == "__main__":
    main()
