"""What goes to Lambda: only what runs there, little of it, and nothing loaded before it is needed."""

import zipfile
from pathlib import Path

import pytest

from stack.package import MODULES, imported, unpacked_size
from stack.template import package

# The package has about 0.4 MB, 1.1 MB unpacked. Who doubles that should have a reason.
_ZIPPED_MAX = 800_000
_UNPACKED_MAX = 2_200_000


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("package")).with_name("deployment.zip")


def test_the_package_holds_what_runs_and_nothing_else(zipped: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == {
        "app.py",
        "chalicelib",
        "chalice",  # Chalice packs its own runtime; boto3 is Lambda's own
        "msgspec",
        "jwt",
    }


def test_the_package_is_small(zipped: Path) -> None:
    assert zipped.stat().st_size < _ZIPPED_MAX
    assert unpacked_size(zipped) < _UNPACKED_MAX


@pytest.mark.parametrize("function", sorted(MODULES))
def test_nothing_is_loaded_before_it_is_needed(function: str) -> None:
    """No AWS client before the first call, no documents before somebody asks; HTTP's part is HTTP's alone."""
    loaded = imported(MODULES[function])

    assert not loaded & {"boto3", "chalicelib.documents", "chalicelib.tim_rest"}
    if function != "APIHandler":
        assert not loaded & {"chalicelib.http", "chalicelib.handlers.http", "chalicelib.groups", "chalicelib.page"}
    if function not in ("APIHandler", "Websocket…"):
        assert not loaded & {"jwt", "chalicelib.tokens", "chalicelib.requests", "chalicelib.chat"}
    if function not in ("PushReceipts", "DeliverWebhooks"):
        assert "chalicelib.webhook" not in loaded
