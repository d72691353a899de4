"""`margin-oracle keys`: keystores, written and looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from oracle.config import LogSettings
from oracle.errors import BadConfiguration
from oracle.reporting import reporting
from oracle.signer import create_keystore

keys = typer.Typer(help="Keystores of signers and of the account that pays for gas.", no_args_is_help=True)


@keys.command("new")
def keys_new(
    path: Annotated[Path, typer.Argument(help="Keystore file to write.")],
    password_file: Annotated[Path | None, typer.Option(help="File with the password; asked for if not given.")] = None,
) -> None:
    """Create a key in a new keystore v3 file and print its address."""
    with reporting(LogSettings()):
        typer.echo(create_keystore(path, _password(password_file, confirm=True)))


@keys.command("address")
def keys_address(path: Annotated[Path, typer.Argument(help="Keystore file.")]) -> None:
    """Print the address that a keystore names, without unlocking it."""
    with reporting(LogSettings()):
        try:
            typer.echo("0x" + str(json.loads(path.read_text())["address"]).removeprefix("0x"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadConfiguration(f"{path} is not a keystore: {type(error).__name__}", "give a keystore v3") from None


def _password(path: Path | None, confirm: bool) -> SecretStr:
    if path is None:
        return SecretStr(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm))
    try:
        return SecretStr(path.read_text().strip())
    except OSError as error:
        raise BadConfiguration(f"password file {path}: {error.strerror}", "correct the path") from None
    except UnicodeDecodeError:
        raise BadConfiguration(f"password file {path} is not UTF-8 text", "correct the file") from None
