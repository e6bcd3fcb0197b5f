"""Code that runs in a sandbox process, as if a file had taken it over, reaches nothing."""

import os
import socket
import sysconfig
from errno import EACCES, ENOSYS, EPERM
from pathlib import Path

import psutil
import pytest

from shared.sandbox.confinement import missing_mechanisms
from shared.sandbox.launcher import GIVEN, INHERITED, SandboxProcess

HOSTILE = "tests.support.hostile_process"
REFUSED = {EACCES, ENOSYS, EPERM}
SECRET = "SERA_PEOPLE_KEY"

pytestmark = pytest.mark.skipif(
    missing_mechanisms() != (), reason="this kernel cannot confine a process"
)


@pytest.fixture(scope="module")
def hostile():
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(SECRET, "the key of the second factors")
        process = SandboxProcess(HOSTILE, memory_mib=256, seconds=20)
        yield process
    process.end()


def attack(process, code):
    head, _ = process.call({"code": code}, b"", max_result_bytes=0)
    return head


def is_refused(answer):
    return answer.get("errno") in REFUSED


def test_it_has_no_secret_in_its_environment(hostile):
    names = attack(hostile, "stolen = list(os.environ)")["stolen"]
    assert set(names) <= {*INHERITED, *GIVEN, "LC_CTYPE"}
    assert SECRET in os.environ


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/proc/{os.getpid()}/environ", id="environment of its parent"),
        pytest.param("/proc/self/environ", id="proc"),
        pytest.param("/etc/passwd", id="users"),
        pytest.param(str(Path(__file__)), id="a file beside the program"),
        pytest.param("/dev/shm", id="shared memory"),
    ],
)
def test_it_reads_no_file(path, hostile):
    assert Path(path).exists()
    assert is_refused(attack(hostile, f"os.open({path!r}, os.O_RDONLY)"))


def test_it_reads_no_file_of_the_home_folder(hostile, tmp_path):
    key = tmp_path / "people-aes"
    key.write_bytes(b"key")
    assert is_refused(attack(hostile, f"open({str(key)!r}, 'rb')"))
    assert is_refused(attack(hostile, f"os.listdir({str(tmp_path)!r})"))
    assert is_refused(attack(hostile, f"os.unlink({str(key)!r})"))
    assert is_refused(attack(hostile, f"os.rename({str(key)!r}, {str(key)!r} + '2')"))
    assert key.read_bytes() == b"key"


def test_it_writes_no_file(hostile, tmp_path):
    inside = Path(sysconfig.get_path("purelib"), "planted.py")
    for path in (inside, tmp_path / "new"):
        assert is_refused(attack(hostile, f"open({str(path)!r}, 'w')"))
        assert not path.exists()


def test_it_still_imports_modules_of_the_installation(hostile):
    code = "import wave, html.parser; stolen = wave.__name__"
    assert attack(hostile, code)["stolen"] == "wave"


@pytest.mark.parametrize("family", ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"])
def test_it_opens_no_socket(family, hostile):
    code = f"socket.socket(socket.{family}, socket.SOCK_DGRAM)"
    assert is_refused(attack(hostile, code))


def test_it_does_not_reach_a_listening_socket(hostile, tmp_path):
    with socket.socket(socket.AF_UNIX) as database:
        database.bind(str(tmp_path / ".s.PGSQL.5432"))
        database.listen()
        connect = f"connect({str(tmp_path / '.s.PGSQL.5432')!r})"
        assert is_refused(attack(hostile, f"socket.socket(socket.AF_UNIX).{connect}"))
        pipe = "pipe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=0)"
        reused = f"{pipe}\ntry: pipe.{connect}\nfinally: pipe.detach()"
        assert is_refused(attack(hostile, reused))


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "subprocess.run(['/bin/true'])",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
    ],
)
def test_it_starts_no_process(code, hostile):
    assert is_refused(attack(hostile, code))
    assert psutil.Process(hostile.process.pid).children() == []


def test_it_starts_threads(hostile):
    code = "t = threading.Thread(target=lambda: None); t.start(); t.join(); stolen = 1"
    assert attack(hostile, code) == {"stolen": 1}


def test_a_thread_is_as_confined(hostile):
    code = (
        "errors = []\n"
        "def steal():\n"
        "    for theft in (lambda: open('/etc/passwd'), lambda: socket.socket()):\n"
        "        try: theft()\n"
        "        except OSError as error: errors.append(error.errno)\n"
        "t = threading.Thread(target=steal); t.start(); t.join(); stolen = errors"
    )
    errors = attack(hostile, code)["stolen"]
    assert len(errors) == 2
    assert set(errors) <= REFUSED


def test_it_reaches_no_other_process(hostile):
    mine = os.getpid()
    for code in (
        f"os.kill({mine}, 0)",
        f"os.kill({mine}, signal.SIGSTOP)",
        f"os.pidfd_open({mine})",
        f"import fcntl; fcntl.fcntl(0, fcntl.F_SETOWN, {mine})",
    ):
        assert is_refused(attack(hostile, code))
    ptrace = f"stolen = ctypes.CDLL(None).ptrace(16, {mine}, None, None)"
    assert attack(hostile, ptrace)["stolen"] == -1


def test_it_cannot_raise_its_limits(hostile):
    for name in ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE"):
        raised = f"resource.setrlimit(resource.{name}, (-1, -1))"
        answer = attack(hostile, f"import resource; {raised}")
        assert "stolen" not in answer
    limits = psutil.Process(hostile.process.pid)
    assert limits.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert limits.rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_it_takes_no_more_memory_than_its_limit(hostile):
    answer = attack(hostile, "stolen = len(bytearray(1 << 30))")
    assert answer["error"] == "MemoryError"


def test_it_cannot_outlive_its_parent_by_taking_back_the_signal(hostile):
    prctl = "stolen = ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)"
    assert attack(hostile, prctl)["stolen"] == -1


def test_a_result_that_is_too_long_is_cut_off():
    process = SandboxProcess(HOSTILE, memory_mib=256, seconds=20)
    code = "os.write(0, bytes([0, 0, 0, 2, 255, 255, 255, 255]))"
    with pytest.raises(ConnectionError, match="too long"):
        attack(process, code)
    process.end()


def test_a_process_that_does_not_answer_is_given_up():
    process = SandboxProcess(HOSTILE, memory_mib=256, seconds=0.2)
    with pytest.raises(TimeoutError):
        attack(process, "signal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass")
    process.end()
    assert not process.is_alive


def test_a_process_with_another_thread_is_not_confined_by_halves():
    with pytest.raises(ConnectionError):
        SandboxProcess("tests.support.threaded_process", memory_mib=256, seconds=20)


def test_a_machine_without_the_mechanisms_is_known(hostile):
    code = (
        "from shared.sandbox.confinement import missing_mechanisms\n"
        "stolen = missing_mechanisms()"
    )
    assert attack(hostile, code)["stolen"] == ["seccomp", "Landlock"]
