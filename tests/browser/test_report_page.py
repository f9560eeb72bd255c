"""The report in a real browser: it fits, it sorts, and it reaches for nothing outside itself."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mtlbench.report import build
from tests.report.samples import sample

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium (apt-get install chromium)")

PROBE = """
<script>
const head = [...document.querySelectorAll("#methods thead th")].find((th) => th.textContent.startsWith("Δm"));
const rows = () => [...document.querySelectorAll("#methods tbody tr")];
const gains = () => rows().map((row) => row.cells[head.cellIndex].dataset.value);
const seen = {before: gains()};
head.querySelector("button").click();
Object.assign(seen, {up: gains(), sort: head.getAttribute("aria-sort")});
head.querySelector("button").click();
seen.down = gains();
document.querySelector("#methods thead button").click();
seen.names = rows().map((row) => row.cells[0].textContent);
for (const fold of document.querySelectorAll("details")) fold.open = true;
seen.width = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
seen.figures = [...document.querySelectorAll("figure svg")].map((svg) => svg.getBoundingClientRect().height);
seen.loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
const said = document.createElement("pre");
said.id = "probe";
said.textContent = JSON.stringify(seen);
document.body.append(said);
</script>
</body>"""


@pytest.fixture(scope="module")
def html() -> str:
    return build(*sample(methods=4, engines=("eager", "fused"), epochs=3).frames()).html


def opened(html: str, folder: Path, width: int) -> dict[str, Any]:
    """What the probe saw at this window width."""
    page = folder / "report.html"
    page.write_text(html.replace("</body>", PROBE))
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", page.as_uri(),
    ]  # fmt: skip
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="probe">(.*?)</pre>', dumped, re.DOTALL)
    assert found, "the page's script stopped before the probe could run"
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    return seen


@pytest.mark.parametrize("width", [1280, 500])
def test_page(html: str, tmp_path: Path, width: int) -> None:
    seen = opened(html, tmp_path, width)
    assert seen["sort"] == "ascending"
    assert seen["up"] == sorted(seen["before"], key=float)
    assert seen["down"] == seen["up"][::-1]
    assert seen["names"] == sorted(seen["names"])
    assert seen["width"][0] <= seen["width"][1]  # only tables scroll sideways, each in its own box
    assert min(seen["figures"]) > 100
    assert seen["loaded"] == []
