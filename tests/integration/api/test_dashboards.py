"""Dashboards and alerts as code: what they name is there, and every alert leads to what to do."""

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
import services.worker.metrics  # noqa: F401 (all three: their figures are on the process's registry from here on)
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
ALARMS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OF_PROMETHEUS = {"up"}
"""What Prometheus itself says of a target."""
WORDS = {
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
GENERATED = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def questions() -> Iterator[tuple[str, str]]:
    """Each PromQL expression, and where it stands."""
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            yield from (
                (f"{name}: {panel['title']}", target["expr"])
                for target in panel["targets"]
            )
        for variable in board["templating"]["list"]:
            yield (
                f"{name}: ${variable['name']}",
                variable["definition"].split("(")[1].split(",")[0],
            )


def metrics(expression: str) -> set[str]:
    """The names of metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(
        r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare
    )
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare)
    return {
        name
        for name in names
        if name not in WORDS and not re.fullmatch(r"\d+[smhdwy]", name)
    }


def selected(expression: str) -> set[tuple[str, str]]:
    """Pairs of a metric and a label that is asked of it."""
    found = re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
    return {
        (name, label)
        for name, matchers in found
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers)
    }


@pytest.fixture
def pages(gateway, make_key, tmp_path) -> str:
    """All that the services' pages say: the gateway's to an auditor, and that of the other
    processes."""
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


def exposed(pages: str) -> set[str]:
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", pages, re.MULTILINE)
    return {name + end for name, kind in kinds for end in GENERATED[kind]}


def test_every_metric_that_a_dashboard_or_an_alert_names_is_exposed(pages):
    known = exposed(pages) | RECORDED | OF_PROMETHEUS
    assert {
        location: missing
        for location, metric in questions()
        if (missing := metrics(metric) - known)
    } == {}


def test_every_label_that_is_asked_for_is_one_of_its_metric(pages):
    lines = re.findall(r"^(\w+)\{([^}]*)\}", pages, re.MULTILINE)
    labels = {name: set() for name, _ in lines}
    for name, told in lines:
        labels[name] |= set(re.findall(r'(\w+)="', told))
    target = {"job", "instance"}
    names = {pair for _, expression in questions() for pair in selected(expression)}
    assert len(names) > 10
    assert [
        pair
        for pair in names
        if pair[0] in labels and pair[1] not in labels[pair[0]] | target
    ] == []


def test_names_are_read_out_of_promql_as_they_stand_there():
    told = (
        "histogram_quantile(0.95, sum by (le, lane) "
        '(rate(a_bucket{lane="b_total",le=~"c"}[5m]))) > 2 or d:e offset 1h'
    )
    assert metrics(told) == {"a_bucket", "d:e"}
    assert metrics("count(max by (model) (f)) / g_total and absent(h)") == {
        "f",
        "g_total",
        "h",
    }


@pytest.mark.parametrize("name", ALARMS)
def test_every_alert_says_how_grave_it_is_and_leads_to_its_runbook(name):
    alarm = ALARMS[name]
    assert alarm["labels"]["severity"] in ("critical", "warning", "info")
    assert alarm["annotations"].keys() == {"summary", "description", "runbook_url"}
    path, _, anchor = alarm["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def test_there_is_a_runbook_for_no_other_alert():
    headings = re.findall(
        r"^### (Sera\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert sorted(headings) == sorted(ALARMS)


def test_every_target_that_is_asked_for_is_one_that_prometheus_scrapes():
    jobs = {scrape_config["job_name"] for scrape_config in TARGETS["scrape_configs"]}
    rows = [
        matcher
        for _, expression in questions()
        for matcher in re.findall(r'job=~?"([^"]+)"', expression)
    ]
    assert rows
    assert [
        matcher
        for matcher in rows
        if not any(re.fullmatch(matcher, job) for job in jobs)
    ] == []


def test_prometheus_keeps_of_the_second_look_what_only_a_key_may_see(gateway, pages):
    (job,) = [
        scrape_config
        for scrape_config in TARGETS["scrape_configs"]
        if scrape_config["job_name"] == "sera-hospitals"
    ]
    kept_metrics = re.compile(job["metric_relabel_configs"][0]["regex"])
    named = exposed(pages) - exposed(gateway.get("/metrics").text)
    gateways = {
        name
        for name in named
        if name.startswith("sera_") and not name.startswith("sera_gpu")
    }
    assert gateways == {name for name in exposed(pages) if kept_metrics.fullmatch(name)}


def test_dashboards_are_told_apart_and_lie_side_by_side():
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 5
    source = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    for board in BOARDS.values():
        occupied = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + x, place["y"] + y)
                for x in range(place["w"])
                for y in range(place["h"])
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
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bad_hour_of_the_tests_sets_off_every_alert():
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    assert tests[1]["promql_expr_test"][0]["exp_samples"][0]["value"] == len(ALARMS)
