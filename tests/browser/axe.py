"""What axe-core finds wrong with a page for those who do not see it, or cannot use a mouse."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
_AXE = Axe()


def violations(page: Page) -> list[str]:
    """Every grave violation with its first elements; the page is one whose context bypasses the policy.

    Axe is a script from elsewhere, which the policy of our pages forbids.
    """
    found = _AXE.run(page).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}), {violation['help']}: {_elements(violation['nodes'])}"
        for violation in found
        if violation["impact"] in GRAVE
    ]


def _elements(nodes: list[dict[str, str]]) -> str:
    told = [f"{node['html']} {node.get('failureSummary', '')}" for node in nodes[:3]]
    return " | ".join(told) + (f" | and {len(nodes) - 3} more" if len(nodes) > 3 else "")
