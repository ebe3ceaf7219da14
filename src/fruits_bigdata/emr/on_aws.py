"""What every command of `fruits-emr` does: finds the account, asks the guard, and never ends in silence."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from fruits_bigdata.cli.log_format import escape_controls
from fruits_bigdata.emr.account import Account, CloudError
from fruits_bigdata.emr.cluster import Cluster
from fruits_bigdata.emr.package import PackageError
from fruits_bigdata.privacy.residency import ResidencyError
from fruits_bigdata.storage.errors import in_short

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN = "AWS does not answer any more, so a cluster may run: fruits-emr status says it, when it does."
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden")


def on_aws(bucket: bool = True) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function that takes an `Account` first.

    Args:
        bucket: The command needs what `deploy` makes.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @click.option("--project", envvar="FRUITS_PROJECT_NAME", default="fruits", help="Begins every name.")
        @click.option("--region", help="Default: AWS_REGION, AWS_DEFAULT_REGION, your profile's, eu-west-3.")
        @click.option("--dry-run", is_flag=True, help="Print the requests; send only those that read.")
        @functools.wraps(function)
        def command(project: str, region: str | None, dry_run: bool, **options: Any) -> None:
            with one_sentence():
                account = Account(project, region or _default_region(), dry_run, _say)
                with announced(account):
                    if not account.has_bucket() and bucket:
                        raise CloudError(
                            f"There is no bucket {account.bucket}: run fruits-emr deploy first, or give the "
                            f"--region and --project that it was deployed with"
                        )
                    function(account, **options)

        return click.command()(command)

    return decorate


def _say(text: str) -> None:
    # Logs and keys hold the names of files.
    click.echo(escape_controls(text, keep_lines=True))


@contextmanager
def one_sentence() -> Iterator[None]:
    """Let an error that is no fault of the program end it with one sentence."""
    try:
        yield
    except (CloudError, ResidencyError, PackageError) as error:
        raise click.ClickException(str(error)) from error
    except NoCredentialsError as error:
        raise click.ClickException(
            "There are no AWS credentials: log in (aws sso login, aws configure) and name the profile in "
            "AWS_PROFILE"
        ) from error
    except ClientError as error:
        way = "check it and run the same command again: it goes on where it was"
        if error.response["Error"]["Code"] in _DENIED:
            way = (
                "deploy and down --everything need an administrator, the others the policy that deploy "
                "prints (docs/emr.md, Who may do what)"
            )
        raise click.ClickException(f"AWS refuses: {in_short(error)}; {way}") from error
    except (BotoCoreError, OSError) as error:
        raise click.ClickException(
            f"{in_short(error)}; then run the same command again: it goes on where it was"
        ) from error


@contextmanager
def announced(account: Account) -> Iterator[None]:
    """Say what runs, and what it costs, when Ctrl-C or SIGTERM ends a command, or AWS answers no more.

    Asked of AWS then and there: a request whose answer nobody has seen may have started something.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            yield
        except KeyboardInterrupt:
            click.echo("\nInterrupted. What AWS says:")
            for line in Cluster(account).describe():
                click.echo(line)
            click.echo(
                "fruits-emr status --follow watches it, fruits-emr down ends it; up, run, deploy go on."
            )
            sys.exit(130)
    except NoCredentialsError:
        raise
    except BotoCoreError:
        click.echo(_UNKNOWN)
        raise
    except ClientError as error:
        if error.response["Error"]["Code"] in _EXPIRED:
            click.echo(_UNKNOWN)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _default_region() -> str:
    profile = botocore.session.Session().get_config_variable("region")
    return os.environ.get("AWS_REGION") or profile or "eu-west-3"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
