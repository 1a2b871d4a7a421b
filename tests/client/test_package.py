"""The Python client as others install it."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from stack.template import PROJECT


def test_the_client_is_a_package_that_needs_nothing_else_of_this_repository(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(PROJECT / "receipts_client")], check=True
    )
    (wheel,) = tmp_path.glob("receipts_client-*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
        packages = {name.partition("/")[0] for name in packed.namelist()}
    asking = "import sys, receipts_client as it; print(it.__file__); print('chalicelib' in sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", asking],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert said == [str(tmp_path / "installed" / "receipts_client" / "__init__.py"), "False"]
    assert packages == {"receipts_client", "receipts_client-0.1.0.dist-info"}
    assert (tmp_path / "installed" / "receipts_client" / "py.typed").exists()
