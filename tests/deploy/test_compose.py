"""The compose file has every service, variable and port that the code needs."""

import re
from pathlib import Path

import pytest
import yaml

from shipdet.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {"stream", "app", "init", "spark-master", "spark-worker-1", "spark-worker-2",
        "spark-worker-3", "spark-history"}  # fmt: skip
PORTS = {
    "app": {7860}, "spark-master": {8080, 7077}, "spark-history": {18080}, "redpanda": {9092},
    "s3": {9000, 9001}, "postgres": {5432},
}  # fmt: skip
#: Settings of a cluster that only have a proper value where it is deployed.
NEEDED = {
    "kafka", "postgres", "s3", "s3_public", "s3_access_key", "s3_secret_key", "s3_bucket",
    "spark_master", "spark_master_ui", "spark_history", "spark_events_dir", "spark_checkpoint_dir",
    "cluster_lanes", "cache_dir", "provider", "user_agent",
}  # fmt: skip


def environment(service: str) -> dict[str, str]:
    return SERVICES[service].get("environment", {})


def test_all_services_are_there():
    assert set(SERVICES) == OURS | {"postgres", "s3", "redpanda", "console"}


@pytest.mark.parametrize("service", ["stream", "app", "init", "spark-worker-1"])
def test_every_setting_is_given_and_known(service):
    given = {name.removeprefix("SHIPDET_").lower() for name in environment(service)}
    assert given >= NEEDED
    assert given <= set(Settings.model_fields), given - set(Settings.model_fields)


def test_the_settings_are_a_cluster(monkeypatch):
    for name, value in environment("stream").items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", r"\1", value))
    assert Settings().cluster


def test_ports_are_those_that_people_know():
    for service, ports in PORTS.items():
        published = {int(port.split(":")[-2]) for port in SERVICES[service]["ports"]}
        assert published == ports, service
    everything = [p.split(":")[-2] for s in SERVICES.values() for p in s.get("ports", ())]
    assert len(everything) == len(set(everything)), "two services want the same port"


def test_addresses_lead_to_services_and_their_ports():
    for name, value in environment("stream").items():
        for host, port in re.findall(r"(?:://|@|^)([a-z][a-z0-9-]+):(\d+)", value):
            if host in ("localhost", "shipdet"):
                continue
            assert host in SERVICES, f"{name} leads to {host}"
            written = str(SERVICES[host].get("command", "")) + str(SERVICES[host].get("ports", ""))
            assert port in written or host == "spark-history", f"{host} does not listen on {port}"


def test_every_service_is_limited_and_lasting_ones_are_checked():
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        if name not in ("init", "console"):
            assert service["healthcheck"]["test"] and service["restart"] == "unless-stopped", name


def test_dependencies_and_volumes_exist():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            checked = "healthcheck" in SERVICES[other]
            assert how["condition"] == ("service_healthy" if checked else
                                        "service_completed_successfully"), name  # fmt: skip
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in COMPOSE["volumes"], name


def test_the_event_log_is_written_where_it_is_read():
    assert environment("stream")["SHIPDET_SPARK_EVENTS_DIR"] == "file:///events"
    assert "file:///events" in environment("spark-history")["SPARK_HISTORY_OPTS"]
    for service in ("stream", "spark-history"):
        assert "events:/events" in SERVICES[service]["volumes"]


def test_secrets_come_from_the_env_file_only():
    text = (DEPLOY / "compose.yaml").read_text()
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "env.example").read_text().splitlines()
        if re.match(r"[A-Z0-9_]+=", line)
    )  # fmt: skip
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == {"POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
    assert required <= example.keys()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert example.keys() <= used, "the example names variables that nobody reads"
    for name in ("PASSWORD", "ACCESS_KEY", "SECRET_KEY"):
        for line in text.splitlines():
            if re.match(rf"\s+\w*{name}:", line):
                assert "${" in line, line


def test_the_image_has_what_it_copies_and_what_the_commands_run():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (DEPLOY.parent / source).exists(), source
    for needed in ("openjdk-17", "requirements.lock", "curl", "nanio", "PYTHONPATH=/app"):
        assert needed in dockerfile
    for service in OURS:
        assert SERVICES[service]["build"]["dockerfile"] == "deploy/Dockerfile"


def test_the_driver_can_be_reached_by_the_workers():
    conf = dict(
        line.split(None, 1)
        for line in (DEPLOY / "spark" / "spark-defaults.conf").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert conf["spark.driver.host"] == SERVICES["stream"]["hostname"] == "stream"
    assert conf["spark.driver.bindAddress"] == "0.0.0.0"
