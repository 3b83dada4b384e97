"""The server holds what its OpenAPI document promises, whatever is asked of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from esaa.open import open_machine
from esaa.web.openapi import document
from esaa.web.server import WebServer
from tests.web.servers import AUTHORIZED, TOKEN

_CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.unsupported_method,
]
# The tail never ends; it has tests of its own.
_OPERATIONS = [
    (path, method)
    for path, item in document()["paths"].items()
    for method in item
    if method in ("get", "post", "put", "delete") and not path.endswith("/tail")
]


@pytest.fixture(scope="session")
def api(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document, as a server gives it that serves a copy of the demo with all that can be done to it."""
    root = Path(shutil.copytree(demo_run, tmp_path_factory.mktemp("fuzzed") / "landing", symlinks=True))
    server = WebServer(root, partial(open_machine, root), port=0, token=TOKEN, allows_actions=True)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.address.port}/openapi.json"
        yield schemathesis.openapi.from_url(address, headers=AUTHORIZED, wait_for_schema=10)
    finally:
        server.stop()
        thread.join(30)


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
def test_every_answer_is_as_documented(path: str, method: str, api: Any) -> None:
    @given(case=api[path][method].as_strategy())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    def holds(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=_CHECKS, headers=AUTHORIZED)

    holds()
