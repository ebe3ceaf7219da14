"""Kedro's settings of the project."""

import os
import warnings

from kedro.framework.project import LOGGING

from fruits_bigdata.cli.log_format import LOGGING_CONFIG
from fruits_bigdata.hooks.context import GuardedContext
from fruits_bigdata.hooks.failures import FailureHooks
from fruits_bigdata.hooks.refusals import ParameterHooks, PlaceHooks
from fruits_bigdata.hooks.reports import DryRunHooks, ResultHooks, StatisticsHooks
from fruits_bigdata.hooks.resources import SparkHooks, StorageHooks
from fruits_bigdata.storage.locations import expand_home
from fruits_bigdata.storage.s3 import s3a_encryption

# Kedro's own use of OmegaConf; nothing that a user of this project can mend.
warnings.filterwarnings("ignore", message="register_new_resolver", category=UserWarning)

# Kedro itself looks for a configuration in the current folder only, and before it finds the project's code.
if "KEDRO_LOGGING_CONFIG" not in os.environ:
    LOGGING.configure(LOGGING_CONFIG)

CONTEXT_CLASS = GuardedContext

# Pluggy calls the last one first: parameters are checked before anything reads them, and what refuses a run
# does so before anything is started.
HOOKS = (
    ResultHooks(),
    StatisticsHooks(),
    SparkHooks(),
    DryRunHooks(),
    PlaceHooks(),
    StorageHooks(),
    FailureHooks(),
    ParameterHooks(),
)

# Nothing about a run leaves the machine.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"spark": ["spark*", "spark*/**"], "s3a": ["s3a*", "s3a*/**"]},
    "custom_resolvers": {"home": expand_home, "s3a_encryption": s3a_encryption},
}
