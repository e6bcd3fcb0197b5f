"""Dashboards and alerts as code: their metrics exist, and every alert has a runbook."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

import services.beat.metrics
import services.trainer.metrics
import services.worker.metrics  # noqa: F401 (all three register their metrics)
from shared.domain.roles import Role
from shared.networks.gpus import GpuCollector
from shared.observability.metrics import REGISTRY, HomeDiskCollector
from tests.e2e.stage import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
TARGETS = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
BOARDS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
ALERTS_BY_NAME = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED_METRICS = {rule["record"] for rule in RULES if "record" in rule}
PROMETHEUS_METRICS = {"up"}
"""Metrics that Prometheus adds for each target."""
PROMQL_KEYWORDS = {
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "bool",
}
SUFFIXES_BY_KIND = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def queries() -> Iterator[tuple[str, str]]:
    """Yield each PromQL expression with its location."""
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for board_name, board in BOARDS.items():
        for panel in board["panels"]:
            yield from (
                (f"{board_name}: {panel['title']}", target["expr"])
                for target in panel["targets"]
            )
        for variable in board["templating"]["list"]:
            yield (
                f"{board_name}: ${variable['name']}",
                variable["definition"].split("(")[1].split(",")[0],
            )


def metrics(expression: str) -> set[str]:
    """Return the names of metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(
        r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare
    )
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare)
    return {
        name
        for name in names
        if name not in PROMQL_KEYWORDS and not re.fullmatch(r"\d+[smhdwy]", name)
    }


def label_pairs(expression: str) -> set[tuple[str, str]]:
    """Return pairs of a metric and a label that the expression selects by."""
    selectors = re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
    return {
        (name, label)
        for name, matchers in selectors
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers)
    }


@pytest.fixture
def pages(gateway, make_key, tmp_path) -> str:
    """The metrics of the gateway, as an auditor sees them, and of the other processes."""
    registry = CollectorRegistry()
    for collector in (GpuCollector(), HomeDiskCollector(tmp_path)):
        registry.register(collector)
    page = gateway.get(
        "/metrics", headers={"Authorization": f"Bearer {make_key(Role.AUDITOR)}"}
    )
    return (
        page.text
        + generate_latest(REGISTRY).decode()
        + generate_latest(registry).decode()
    )


def exposed_metrics(pages: str) -> set[str]:
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", pages, re.MULTILINE)
    return {name + end for name, kind in kinds for end in SUFFIXES_BY_KIND[kind]}


def test_every_metric_of_a_dashboard_or_an_alert_is_exposed(pages):
    known_metrics = exposed_metrics(pages) | RECORDED_METRICS | PROMETHEUS_METRICS
    assert {
        location: missing
        for location, expression in queries()
        if (missing := metrics(expression) - known_metrics)
    } == {}


def test_every_label_in_a_query_is_a_label_of_its_metric(pages):
    lines = re.findall(r"^(\w+)\{([^}]*)\}", pages, re.MULTILINE)
    labels = {name: set() for name, _ in lines}
    for name, label_text in lines:
        labels[name] |= set(re.findall(r'(\w+)="', label_text))
    target_labels = {"job", "instance"}
    pairs = {pair for _, expression in queries() for pair in label_pairs(expression)}
    assert len(pairs) > 10
    assert [
        pair
        for pair in pairs
        if pair[0] in labels and pair[1] not in labels[pair[0]] | target_labels
    ] == []


def test_metric_names_are_parsed_from_promql():
    expression = (
        "histogram_quantile(0.95, sum by (le, lane) "
        '(rate(a_bucket{lane="b_total",le=~"c"}[5m]))) > 2 or d:e offset 1h'
    )
    assert metrics(expression) == {"a_bucket", "d:e"}
    assert metrics("count(max by (model) (f)) / g_total and absent(h)") == {
        "f",
        "g_total",
        "h",
    }


@pytest.mark.parametrize("name", ALERTS_BY_NAME)
def test_every_alert_has_a_severity_and_a_link_to_its_runbook(name):
    alert = ALERTS_BY_NAME[name]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def test_every_runbook_belongs_to_an_alert():
    headings = re.findall(
        r"^### (Sera\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert sorted(headings) == sorted(ALERTS_BY_NAME)


def test_every_job_in_a_query_is_scraped_by_prometheus():
    jobs = {scrape_config["job_name"] for scrape_config in TARGETS["scrape_configs"]}
    matchers = [
        matcher
        for _, expression in queries()
        for matcher in re.findall(r'job=~?"([^"]+)"', expression)
    ]
    assert matchers
    assert [
        matcher
        for matcher in matchers
        if not any(re.fullmatch(matcher, job) for job in jobs)
    ] == []


def test_the_scrape_with_a_key_keeps_only_metrics_that_need_a_key(gateway, pages):
    (job,) = [
        scrape_config
        for scrape_config in TARGETS["scrape_configs"]
        if scrape_config["job_name"] == "sera-hospitals"
    ]
    kept_metrics = re.compile(job["metric_relabel_configs"][0]["regex"])
    metrics_with_key = exposed_metrics(pages) - exposed_metrics(
        gateway.get("/metrics").text
    )
    sera_metrics = {
        name
        for name in metrics_with_key
        if name.startswith("sera_") and not name.startswith("sera_gpu")
    }
    assert sera_metrics == {
        name for name in exposed_metrics(pages) if kept_metrics.fullmatch(name)
    }


def test_dashboards_have_unique_ids_and_panels_do_not_overlap():
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 5
    source = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    for board in BOARDS.values():
        occupied = set()
        for panel in board["panels"]:
            position = panel["gridPos"]
            cells = {
                (position["x"] + x, position["y"] + y)
                for x in range(position["w"])
                for y in range(position["h"])
            }
            assert not cells & occupied
            assert max(x for x, _ in cells) < 24
            assert panel["datasource"]["uid"] == source["uid"]
            occupied |= cells


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str, ...]):
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    completed = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_the_alert_tests_trigger_every_alert():
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    assert tests[1]["promql_expr_test"][0]["exp_samples"][0]["value"] == len(
        ALERTS_BY_NAME
    )
