from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
SECRETS = ("AIRFLOW_FERNET_KEY", "AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET", "POSTGRES_PASSWORD")
ONE_SHOT = {"airflow-init", "seed"}


def compose_config(tmp_path: Path, *, secrets: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `docker compose config` says of our file, with these secrets and no .env of a developer."""
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in secrets.items()))
    command = [
        str(COMPOSE),
        "--project-directory",
        str(ROOT),
        "--env-file",
        str(env_file),
        "config",
        "--format",
        "json",
    ]
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(  # noqa: S603 - the Compose binary of our own environment
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    done = compose_config(tmp_path, secrets=dict.fromkeys(SECRETS, "c2VjcmV0"))
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)["services"]
    return parsed


def test_without_secrets_compose_refuses_and_says_how_to_make_them(tmp_path: Path) -> None:
    done = compose_config(tmp_path, secrets={})

    assert done.returncode != 0
    assert all(name in done.stderr for name in SECRETS)
    assert "make .env" in done.stderr


def test_make_writes_every_secret_that_compose_asks_for(tmp_path: Path) -> None:
    command = ["make", "--silent", "-f", str(ROOT / "Makefile"), ".env"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)  # noqa: S603 - our own Makefile

    lines = (tmp_path / ".env").read_text().splitlines()
    secrets = dict(line.split("=", 1) for line in lines)

    assert set(secrets) == set(SECRETS)
    assert len(set(secrets.values())) == len(SECRETS)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert compose_config(tmp_path, secrets=secrets).returncode == 0


def test_every_published_port_is_on_loopback_only(services: dict[str, Any]) -> None:
    published = {
        (name, port.get("host_ip"), port["published"])
        for name, service in services.items()
        for port in service.get("ports", [])
    }

    assert published == {("api-server", "127.0.0.1", "8080"), ("emulator", "127.0.0.1", "4566")}
    assert not [name for name, service in services.items() if service.get("network_mode") == "host"]


def test_every_service_has_a_health_check_or_runs_once(services: dict[str, Any]) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}

    assert without == ONE_SHOT
    assert {services[name]["restart"] for name in ONE_SHOT} == {"no"}


def test_every_folder_that_is_mounted_is_in_the_repository_and_read_only(services: dict[str, Any]) -> None:
    mounts = [
        volume for service in services.values() for volume in service.get("volumes", []) if volume["type"] == "bind"
    ]

    assert mounts
    assert all(Path(mount["source"]).is_dir() and mount["read_only"] for mount in mounts)


def test_the_components_of_airflow_share_database_secrets_and_the_engines_path(services: dict[str, Any]) -> None:
    names = ("airflow-init", "api-server", "scheduler", "dag-processor", "triggerer")
    environments = [services[name]["environment"] for name in names]

    assert all(environment == environments[0] for environment in environments)
    assert environments[0]["PYTHONPATH"] == "/opt/airflow/include"
    for connection in ("AIRFLOW_CONN_AWS_VIRGINIA", "AIRFLOW_CONN_AWS_OREGON"):
        assert json.loads(environments[0][connection])["extra"]["endpoint_url"] == "http://emulator:4566"


def test_airflow_starts_once_the_tables_are_seeded_and_the_database_is_there(services: dict[str, Any]) -> None:
    assert services["seed"]["depends_on"]["emulator"]["condition"] == "service_healthy"
    assert services["airflow-init"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    scheduler = services["scheduler"]["depends_on"]
    assert {name: after["condition"] for name, after in scheduler.items()} == dict.fromkeys(
        ONE_SHOT, "service_completed_successfully"
    )


def test_every_built_image_is_a_stage_of_the_dockerfile(services: dict[str, Any]) -> None:
    stages = {line.split()[-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")}
    targets = {service["build"]["target"] for service in services.values() if "build" in service}

    assert targets == stages


def test_the_image_runs_the_airflow_that_is_locked() -> None:
    locked = next(
        line.split()[0].removeprefix("apache-airflow==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line.startswith("apache-airflow==")
    )

    assert f"FROM apache/airflow:{locked}-python3.11 AS airflow" in (ROOT / "Dockerfile").read_text()
