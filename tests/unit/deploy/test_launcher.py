"""The launcher against a stand-in for Python that records how it was called: no network, no real
environment.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
TOOLS = [
    "bash",
    "cat",
    "chmod",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sha256sum",
    "sleep",
    "sh",
    "tail",
]

STAND_IN = """#!/bin/sh
case "$*" in
    *Py_GIL_DISABLED*) test -z "$FAKE_UNLOCKED"; exit ;;
    *sys.version_info*) echo "${FAKE_VERSION:-3.12}"; test -z "$FAKE_TOO_OLD"; exit ;;
    *"import ensurepip"*) test -z "$FAKE_NO_VENV"; exit ;;
    -V) echo "Python ${FAKE_VERSION:-3.12}.1"; exit ;;
esac
echo "$*" >>"$RECORD"
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cat "$0" >"$3/bin/python" && chmod +x "$3/bin/python" ;;
    "-m pip index "*--index-url*) test -z "$FAKE_CPU_INDEX" || echo "Available versions: 2.1+cpu" ;;
    "-m pip index "*)
        test -z "$FAKE_CPU_FOLDER" || echo "Available versions: 2.2, 2.1+cpu"
        count=0; while test -n "$FAKE_LONG_LIST" -a $count -lt 3000; do
            echo "  INSTALLED: a version with a name that is rather long"; count=$((count + 1))
        done ;;
    "-m pip "*)
        sleep 0.1; echo "Collecting x"; test -z "$FAKE_NO_NETWORK" && exit
        echo "ERROR: No matching distribution found for x==1"; exit 1 ;;
    *"ruff check"*) test -z "$FAKE_LINT" || exit 1 ;;
    *"-m mypy"*) test -z "$FAKE_ENDLESS" || exec sleep 60; test -z "$FAKE_WRONG_TYPES" || { echo "a.py:1: error: wrong"; exit 1; } ;;
    *"-m pytest"*)
        test -z "$FAKE_ENDLESS" || { trap "exit 2" INT; while :; do sleep 0.1; done; }
        echo "3 passed in 0.1s"; exit "${FAKE_PYTEST:-0}" ;;
    *"-m cli"*) echo "path $PYTHONPATH, from $PWD" ;;
esac
"""


NPM = """#!/bin/sh
echo "npm $*" >>"$RECORD"
case "$1" in
    ci) test -z "$FAKE_NO_NETWORK" || exit 1; mkdir -p "$3/node_modules" ;;
    run) echo "types of scripts"; test -z "$FAKE_WRONG_TYPE" || exit 2 ;;
esac
"""


class Machine:
    """A checkout with the launcher in it and a PATH that has nothing but a few tools."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.path = folder / "bin"
        self.record = folder / "record"
        self.folder = folder
        for item in (self.checkout, self.path):
            item.mkdir()
        shutil.copy(ROOT / "sera", self.checkout)
        pins = {
            "": "x==1",
            "-dev": "y==1",
            "-cpu": "torch==2.1+cpu",
            "-cuda": "torch==2.1",
        }
        for part, pin in pins.items():
            (self.checkout / f"requirements{part}.lock").write_text(f"{pin}\n")
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool))
        (self.path / "uname").write_text(
            '#!/bin/sh\necho "${FAKE_SYSTEM:-Linux x86_64}"\n'
        )
        (self.path / "uname").chmod(0o755)

    def add_python(self, name: str = "python3") -> None:
        (self.path / name).write_text(STAND_IN)
        (self.path / name).chmod(0o755)

    def add_gpu(self) -> None:
        (self.path / "nvidia-smi").write_text('#!/bin/sh\necho "GPU 0: one"\n')
        (self.path / "nvidia-smi").chmod(0o755)

    def add_npm(self) -> None:
        (self.path / "npm").write_text(NPM)
        (self.path / "npm").chmod(0o755)
        (self.checkout / "services" / "api" / "web").mkdir(parents=True)
        (self.checkout / "services" / "api" / "web" / "package-lock.json").write_text(
            "{}"
        )

    def start(
        self, *arguments: str, sera: Path | None = None, **fake: str
    ) -> subprocess.Popen[str]:
        env = {"PATH": str(self.path), "RECORD": str(self.record), **fake}
        command = (str(sera or self.checkout / "sera"), *arguments)
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=env, cwd=self.folder, stdout=pipe, stderr=pipe, text=True
        )

    def sera(
        self, *arguments: str, sera: Path | None = None, **fake: str
    ) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, sera=sera, **fake) as process:
            stdout, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, err)

    def calls(self, subcommand: str) -> list[str]:
        return [
            line for line in self.record.read_text().splitlines() if subcommand in line
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    machine.add_python()
    return machine


def only_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr.strip().splitlines()[-1]


def test_without_python_it_says_what_to_install(machine: Machine) -> None:
    done = machine.sera("up")
    assert only_sentence(done) == done.stderr.strip()
    assert "Python 3.11 or newer was not found" in done.stderr


def test_an_old_python_is_no_python(ready: Machine) -> None:
    assert "apt install python3 python3-venv" in only_sentence(
        ready.sera("up", FAKE_TOO_OLD="1")
    )


def test_a_missing_venv_module_is_named_with_its_package(ready: Machine) -> None:
    assert "apt install python3.12-venv" in only_sentence(
        ready.sera("up", FAKE_NO_VENV="1")
    )


def test_a_python_under_another_name_is_found(machine: Machine) -> None:
    machine.add_python("python3.13")
    assert machine.sera("up").returncode == 0


def test_a_failed_download_is_one_sentence_with_pips_reason(ready: Machine) -> None:
    output = only_sentence(ready.sera("up", FAKE_NO_NETWORK="1"))
    assert "No matching distribution found for x==1" in output
    assert "then run ./sera again" in output


def test_after_a_failed_download_it_begins_again(ready: Machine) -> None:
    ready.sera("up", FAKE_NO_NETWORK="1")
    left = ready.checkout / ".venv" / "left"
    left.touch()
    assert ready.sera("up").returncode == 0
    assert not left.exists()


def test_packages_are_installed_once(ready: Machine) -> None:
    first = ready.sera("up")
    second = ready.sera("doctor", "--json")
    assert "installing 2 pinned packages" in first.stderr
    assert second.stderr == ""
    assert len(ready.calls("-m pip install")) == 1
    assert ready.calls("-m cli") == ["-P -m cli up", "-P -m cli doctor --json"]


def test_changed_requirements_are_installed_into_the_same_environment(
    ready: Machine,
) -> None:
    ready.sera("up")
    (ready.checkout / "requirements.lock").write_text("x==2\n")
    ready.sera("up")
    assert len(ready.calls("-m pip install")) == 2
    assert len(ready.calls("-m venv")) == 1


def test_another_python_in_the_environment_makes_it_anew(ready: Machine) -> None:
    ready.sera("up")
    ready.sera("up", FAKE_VERSION="3.13")
    assert len(ready.calls("-m venv")) == 2


def last_install(machine: Machine) -> str:
    return machine.calls("-m pip install")[-1]


def test_every_file_is_installed_by_its_hash(ready: Machine) -> None:
    ready.sera("up")
    assert "--require-hashes --only-binary=:all:" in last_install(ready)


def test_without_a_gpu_the_cpu_build_is_taken_from_pytorchs_index(
    ready: Machine,
) -> None:
    done = ready.sera("up", FAKE_CPU_INDEX="1")
    assert (
        "PyTorch without CUDA (2.5 GB less), because this machine has no" in done.stderr
    )
    assert "requirements-cpu.lock" in last_install(ready)
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in last_install(
        ready
    )
    assert "--timeout 3 --retries 0" in ready.calls("-m pip index")[-1]


def test_a_cpu_build_that_pip_knows_needs_no_other_index(ready: Machine) -> None:
    ready.sera("up", FAKE_CPU_FOLDER="1")
    assert "requirements-cpu.lock" in last_install(ready)
    assert "--extra-index-url" not in last_install(ready)


def test_where_pytorchs_index_is_silent_the_default_build_is_taken(
    ready: Machine,
) -> None:
    done = ready.sera("up")
    assert "whl/cpu did not answer within 3 s" in done.stderr
    assert "requirements-cuda.lock" in last_install(ready)


def test_with_a_gpu_the_build_with_cuda_is_taken_and_no_index_is_asked(
    ready: Machine,
) -> None:
    ready.add_gpu()
    done = ready.sera("up", FAKE_CPU_INDEX="1")
    assert "because this machine has an NVIDIA GPU" in done.stderr
    assert "requirements-cuda.lock" in last_install(ready)
    assert not ready.calls("-m pip index")


@pytest.mark.parametrize(
    "fake", [{"FAKE_SYSTEM": "Darwin arm64"}, {"FAKE_UNLOCKED": "1"}]
)
def test_where_no_cpu_build_is_locked_the_default_build_is_taken_and_no_index_is_asked(
    ready: Machine, fake: dict[str, str]
) -> None:
    done = ready.sera("up", FAKE_CPU_INDEX="1", **fake)
    assert "is locked for Linux on x86_64 and aarch64" in done.stderr
    assert "requirements-cuda.lock" in last_install(ready)
    assert not ready.calls("-m pip index")


def test_the_build_can_be_named(ready: Machine) -> None:
    done = ready.sera("up", FAKE_CPU_INDEX="1", SERA_TORCH="cuda")
    assert "the one that SERA_TORCH names: cuda" in done.stderr
    assert "requirements-cuda.lock" in last_install(ready)


def test_an_environment_of_another_build_than_the_named_one_is_made_anew(
    ready: Machine,
) -> None:
    ready.sera("up", FAKE_CPU_INDEX="1")
    ready.sera("up", SERA_TORCH="cpu")
    assert len(ready.calls("-m venv")) == 1
    ready.sera("up", SERA_TORCH="cuda")
    assert len(ready.calls("-m venv")) == 2
    assert "requirements-cuda.lock" in last_install(ready)


def test_a_build_that_is_not_known_is_one_sentence(ready: Machine) -> None:
    output = only_sentence(ready.sera("up", SERA_TORCH="rocm"))
    assert "SERA_TORCH is rocm" in output
    assert "cpu or cuda" in output


def test_later_installations_keep_the_build(ready: Machine) -> None:
    ready.sera("up", FAKE_CPU_FOLDER="1")
    ready.add_gpu()
    ready.sera("test", FAKE_CPU_FOLDER="1")
    assert "requirements-cpu.lock" in last_install(ready)
    assert len(ready.calls("-m venv")) == 1


def test_later_installations_ask_no_index_that_is_silent(ready: Machine) -> None:
    ready.sera("up", FAKE_CPU_INDEX="1")
    ready.sera("test")
    assert "requirements-cpu.lock" in last_install(ready)
    assert "--extra-index-url" not in last_install(ready)


def test_a_cpu_build_is_found_whatever_pip_says_after_it(ready: Machine) -> None:
    ready.sera("up", FAKE_CPU_FOLDER="1", FAKE_LONG_LIST="1", FAKE_CPU_INDEX="1")
    assert "requirements-cpu.lock" in last_install(ready)
    assert "--extra-index-url" not in last_install(ready)


def test_two_at_once_install_once(ready: Machine) -> None:
    processes = [ready.start("up"), ready.start("up")]
    values = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(ready.calls("-m pip install")) == 1
    assert sum("another ./sera is setting up" in item for item in values) <= 1


def test_it_works_through_a_link_and_leaves_the_working_directory_alone(
    ready: Machine,
) -> None:
    link = ready.folder / "link"
    link.symlink_to(ready.checkout / "sera")
    assert (
        ready.sera("up", sera=link).stdout
        == f"path {ready.checkout}, from {ready.folder}\n"
    )


STEPS = ("ruff check", "ruff format --check", "lint_imports", "-m mypy", "-m pytest")


def test_the_tests_bring_their_own_packages_and_end_with_pytests_line(
    ready: Machine,
) -> None:
    done = ready.sera("test")
    assert done.stdout.splitlines()[-1] == "3 passed in 0.1s"
    assert "requirements-dev.lock" in ready.calls("-m pip install")[0]
    assert [step for call in ready.calls("") for step in STEPS if step in call] in (
        list(STEPS),
        [*STEPS[:3], "-m pytest", "-m mypy"],  # both at once
    )
    ready.sera("up")
    assert len(ready.calls("-m pip install")) == 1


def test_the_long_form_has_the_checks_and_the_workers_of_the_short_one(
    ready: Machine,
) -> None:
    ready.sera("test")
    ready.sera("test", "--long")
    short, long = ready.calls("-m pytest")
    assert "--numprocesses=4" in short
    assert long == f"{short} --long"
    assert len(ready.calls("ruff check")) == len(ready.calls("lint_imports")) == 2


def test_arguments_of_the_tests_go_to_pytest_alone(ready: Machine) -> None:
    ready.sera("test", "-k", "one thing")
    assert ready.calls("-m pytest") == ["-m pytest -k one thing"]
    assert not ready.calls("-m ruff")


def test_the_long_form_of_some_tests_goes_to_pytest_alone(ready: Machine) -> None:
    ready.sera("test", "--long", "tests/e2e")
    assert ready.calls("-m pytest") == ["-m pytest --long tests/e2e"]
    assert not ready.calls("-m ruff")


def test_failed_lint_fails_the_tests_but_does_not_hide_them(ready: Machine) -> None:
    done = ready.sera("test", FAKE_LINT="1")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "3 passed in 0.1s"


def test_the_pages_scripts_are_checked_with_what_npm_fetches_once(
    ready: Machine,
) -> None:
    ready.add_npm()
    for _ in range(2):
        done = ready.sera("test")
        assert done.returncode == 0
        assert "types of scripts" in done.stderr
    assert [call.split()[1] for call in ready.calls("npm ")] == ["ci", "run", "run"]


def test_wrong_types_fail_the_tests_but_do_not_hide_them(ready: Machine) -> None:
    done = ready.sera("test", FAKE_WRONG_TYPES="1")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "3 passed in 0.1s"
    assert "a.py:1: error: wrong\n" in done.stderr
    assert (
        done.stderr.splitlines()[-1]
        == "SERA: the checks of the types failed, as said above"
    )
    assert not list((ready.checkout / ".venv").glob("types.*"))


def test_ctrl_c_ends_the_checks_that_run_beside_the_tests_too(ready: Machine) -> None:
    ready.sera("up")
    process = ready.start("test", FAKE_ENDLESS="1")
    give_up = time.monotonic() + 60
    while not (ready.calls("-m pytest") and ready.calls("-m mypy")):
        assert time.monotonic() < give_up, ready.record.read_text()
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    own_group = [
        item for item in family if os.getpgid(item.pid) == os.getpgid(process.pid)
    ]
    for item in (psutil.Process(process.pid), *own_group):  # as a terminal does
        item.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert not list((ready.checkout / ".venv").glob("types.*"))


def test_it_ends_as_pytest_does(ready: Machine) -> None:
    assert ready.sera("test", FAKE_PYTEST="2").returncode == 2
    assert ready.sera("test", FAKE_PYTEST="2", FAKE_WRONG_TYPES="1").returncode == 2
    assert ready.sera("test", "-k", "one", FAKE_PYTEST="5").returncode == 5


def test_a_wrong_type_in_the_pages_scripts_fails_the_tests(ready: Machine) -> None:
    ready.add_npm()
    assert ready.sera("test", FAKE_WRONG_TYPE="1").returncode == 1


def test_without_npm_it_says_that_the_pages_scripts_are_not_checked(
    ready: Machine,
) -> None:
    done = ready.sera("test")
    assert done.returncode == 0
    assert "not checked, for npm is not installed" in done.stderr


def test_without_a_registry_it_says_that_the_pages_scripts_are_not_checked(
    ready: Machine,
) -> None:
    ready.sera("up")  # Python's packages are there
    ready.sera("test", "-k", "one")
    ready.add_npm()
    done = ready.sera("test", FAKE_NO_NETWORK="1")
    assert done.returncode == 0
    assert "not checked, for npm cannot fetch TypeScript" in done.stderr


@pytest.fixture
def ci(ready: Machine) -> Path:
    """The script that a change must pass, on a machine that has all packages but one."""
    folder = ready.checkout / ".ci"
    folder.mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder)
    (folder / "packages.txt").write_text("there\nmissing\n")
    return folder / "run"


def add_debian(machine: Machine) -> None:
    """An apt-get that records how it was called, and a dpkg-query that knows one package."""
    programs = {
        "apt-get": 'echo "apt-get $*" >>"$RECORD"; test -z "$FAKE_NO_NETWORK"',
        "dpkg-query": 'case "$*" in *there) echo "install ok installed" ;; *) exit 1 ;; esac',
    }
    for name, script in programs.items():
        (machine.path / name).write_text(f"#!/bin/sh\n{script}\n")
        (machine.path / name).chmod(0o755)


def test_the_ci_script_runs_the_tests(ready: Machine, ci: Path) -> None:
    done = ready.sera(sera=ci)
    assert done.stdout.splitlines()[-1] == "3 passed in 0.1s"


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are installed by root")
def test_the_ci_script_installs_the_packages_that_are_missing(
    ready: Machine, ci: Path
) -> None:
    add_debian(ready)
    assert ready.sera(sera=ci).returncode == 0
    assert [call.split()[-1] for call in ready.calls("apt-get install")] == ["missing"]


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are installed by root")
def test_packages_that_cannot_be_installed_do_not_keep_the_tests_from_running(
    ready: Machine, ci: Path
) -> None:
    ready.sera("test")
    add_debian(ready)
    done = ready.sera("tests/unit", sera=ci, FAKE_NO_NETWORK="1")
    assert "could not be installed" in done.stderr
    assert ready.calls("-m pytest")[-1] == "-m pytest tests/unit"
