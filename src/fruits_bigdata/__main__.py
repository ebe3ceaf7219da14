"""`python -m fruits_bigdata`: `kedro run` of the installed package, where there is no project folder."""

from kedro.framework.cli.project import run
from kedro.framework.project import configure_project

# It looks at the command line before Kedro does, as it does for `kedro run`.
import fruits_bigdata.cli  # noqa: F401


def main() -> None:
    """Run what the command line says; `--conf-source` names the configuration that comes with the package."""
    configure_project("fruits_bigdata")
    run(prog_name="python -m fruits_bigdata")


if __name__ == "__main__":
    main()
