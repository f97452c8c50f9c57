"""Airflow's plugin loader executes the plugin's file alone."""

from __future__ import annotations

import sys

from airflow import plugins_manager

from dags.airflow_home import ROOT


def test_the_loader_finds_the_plugin_and_leaks_no_module_of_the_package() -> None:
    plugins, import_errors = plugins_manager._get_plugins()  # noqa: SLF001 -- the loader itself is what is tested

    assert "dynamodb_copy" in {plugin.name for plugin in plugins}
    assert import_errors == {}
    package = str(ROOT / "plugins" / "dynamodb_copy_airflow")
    ours = {name for name, module in sys.modules.items() if (getattr(module, "__file__", "") or "").startswith(package)}
    assert {name.partition(".")[0] for name in ours} <= {"dynamodb_copy_airflow"}
