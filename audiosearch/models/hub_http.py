"""Requests to the Hugging Face hub.

The hub's own client gives the address, the session, the token and the errors. Only https is spoken,
but for a hub on this very machine. The user's token, where there is one, goes to the hub alone, and
nothing else is told of the user.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from audiosearch.errors import ModelNotFound

BLOCK = 1 << 20
_MOST_REDIRECTS = 5
_MOST_BYTES = 32 << 20  # of a list of files


class HubUnreachable(ModelNotFound):
    """No answer from the hub, or the user wants none."""


class Cut(Exception):
    """A download that ended before its end; another attempt may go further."""


def check_id(name: str) -> None:
    """Raises `ModelNotFound` for what cannot be an id (``owner/name``)."""
    from huggingface_hub import errors
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except errors.HFValidationError as error:
        raise ModelNotFound(
            f"there is no model {name[:100]}: it is neither a directory nor a hub id (owner/name)"
        ) from error


def hub_address() -> str:
    """Where the hub is: ``$HF_ENDPOINT``, else its own address. Raises `ModelNotFound` for http."""
    from huggingface_hub import constants

    address: str = constants.ENDPOINT
    if not _is_private(address):
        raise ModelNotFound(f"the hub {address} is not https: unset HF_ENDPOINT")
    return address


def read(url: str) -> bytes:
    """What is at an address, at most `_MOST_BYTES` bytes."""
    with response(url, {}) as answer:
        raise_for_status(answer)
        content = b""
        for block in answer.iter_bytes(BLOCK):
            content += block
            if len(content) > _MOST_BYTES:
                break
    return content


@contextmanager
def response(url: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """The answer to a GET, after redirects (as to where large files lie), which get no token."""
    from huggingface_hub import constants, get_token
    from huggingface_hub.utils import get_session

    from audiosearch import __version__

    given = {"User-Agent": f"audiosearch/{__version__}", "Accept-Encoding": "identity", **headers}
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    home = urlsplit(url)[:2]
    for _ in range(_MOST_REDIRECTS):
        if not _is_private(url):
            raise ModelNotFound(f"the hub sends on to {urlsplit(url).netloc}, which is not https")
        known = {"Authorization": f"Bearer {token}"} if token and urlsplit(url)[:2] == home else {}
        with get_session().stream(
            "GET",
            url,
            headers={**given, **known},
            follow_redirects=False,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        ) as answer:
            if not answer.has_redirect_location:
                yield answer
                return
            url = urljoin(url, answer.headers["Location"])
    raise ModelNotFound(f"the hub sends from one address to the next: {urlsplit(url).netloc}")


def raise_for_status(answer: Any) -> None:
    """Raises what the hub's client makes of an error's answer."""
    from huggingface_hub.utils import hf_raise_for_status

    if answer.is_error:
        answer.read()  # what the hub says of it
    hf_raise_for_status(answer)


@contextmanager
def explained(name: str, revision: str | None) -> Iterator[None]:
    """What the hub's client raises, as errors of one line."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelNotFound(how_to_enter(name)) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"there is no model {name} on the Hugging Face hub, or it is private"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelNotFound(f"{name} has no revision {revision}") from error
    except errors.HfHubHTTPError as error:
        raise ModelNotFound(f"the hub does not give {name}: {_line(error)}") from error
    except (errors.OfflineModeIsEnabled, *_network_errors()) as error:
        raise HubUnreachable(
            f"the Hugging Face hub cannot be reached, so {name} was not added: connect (and unset "
            "HF_HUB_OFFLINE) and try again, or bring its directory here and add that"
        ) from error


def how_to_enter(name: str) -> str:
    """What to do about a gated model."""
    return (
        f"{name} is gated: ask for access at {hub_address()}/{name}, tell this machine your token "
        "(hf auth login, or HF_TOKEN), and add it again"
    )


@contextmanager
def uncut() -> Iterator[None]:
    """Raises `Cut` for what passes: a connection that ends, a hub that is busy or broken."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status != 429 and status < 500:
            raise
        raise Cut(f"the hub answered {status}") from error
    except errors.OfflineModeIsEnabled:
        raise
    except _network_errors() as error:
        raise Cut(_line(error)) from error


def _network_errors() -> tuple[type[Exception], ...]:
    """What the client's HTTP library raises of connections; it is not the same in all versions."""
    from huggingface_hub import errors

    return tuple(kind for kind in errors.HfHubHTTPError.__bases__ if kind is not OSError)


def _is_private(url: str) -> bool:
    """Whether nobody on the way can listen: https, or to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and (
            host == "localhost" or ipaddress.ip_address(host).is_loopback
        )
    except ValueError:  # no address, or that of a host by name
        return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
