"""Takes the pictures of the README anew, in light and dark: `make pictures`.

They show the demo, so that nobody has to compose anything: the page as `esaa export --html` writes it, in a browser
without a screen. Needs Chromium (Debian: `apt install chromium`). What it writes to docs/pictures is committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ESAA = Path(sys.executable).with_name("esaa")
PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SCREENS = {"board": "log/board?at=79&since=69"}
"""The name of a picture, and the address that it shows. The demo is run by one agent at a time, so its numbers stay."""

WIDTH, HEIGHT = 1080, 560
BYTES_MAX = 150_000
"""Of all pictures together: whoever clones the project has them all, in every version."""


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is missing (Debian: apt install chromium); the pictures stay as they are.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="esaa-pictures-") as folder:
        page = exported(Path(folder))
        # Debian's build refuses to sandbox itself for root; what it opens is the file that we wrote.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=options)
            taken = {
                f"{name}-{scheme}.png": picture(browser, f"{page.as_uri()}#/{address}", scheme)
                for name, address in SCREENS.items()
                for scheme in ("light", "dark")
            }
            browser.close()
    size = sum(map(len, taken.values()))
    if size > BYTES_MAX:
        print(f"{size} bytes are more than the {BYTES_MAX} that pictures may take together.", file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, content in taken.items():
        (PICTURES / name).write_bytes(content)
        print(f"{PICTURES / name}: {len(content)} bytes")
    return 0


def exported(folder: Path) -> Path:
    """The demo in a folder, run, and its page as one file."""
    project, page = folder / "landing", folder / "run.html"
    project.mkdir()
    environment = os.environ | {"ESAA_CONFIG_DIR": str(folder / "config")}
    for arguments in (
        ["init", "--demo", "landing", "--quiet"],
        ["run", "--run-id", "RUN-0001", "--quiet"],
        ["export", "--html", "RUN-0001", "--output", str(page), "--quiet"],
    ):
        subprocess.run([ESAA, *arguments], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    return page


def picture(browser: Browser, address: str, scheme: Literal["light", "dark"]) -> bytes:
    """What a person sees at an address, once it stands still."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    page.locator("main").first.wait_for()
    page.wait_for_timeout(800)
    content = page.screenshot(animations="disabled")
    page.close()
    return content


if __name__ == "__main__":
    sys.exit(main())
