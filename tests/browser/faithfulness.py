"""States the result of the deletion test of explanation maps."""

from playwright.sync_api import Page, Route


def state_faithfulness(page: Page, area: float) -> None:
    """Let the deletion test of every map have this area between its curves."""

    def change(route: Route) -> None:
        answer = route.fetch()
        if answer.status != 200:
            return route.fulfill(response=answer)
        body = answer.json()
        for explanation_map in body["maps"]:
            explanation_map["faithfulness"]["area"] = area
        return route.fulfill(response=answer, json=body)

    page.route("**/explanation", change)
