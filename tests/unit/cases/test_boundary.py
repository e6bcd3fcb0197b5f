import subprocess
import sys


def test_the_modules_that_the_gateway_needs_load_no_model():
    probe = (
        "import sys, shared.cases.accept, shared.cases.decide, shared.cases.result; "
        "sys.exit(bool({'torch', 'sklearn', 'torchvision', 'skops'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
