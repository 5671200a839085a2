"""What the AWS kinds share: how `locator` is checked, and a call with short time-outs and no retries of its own.

Credentials are boto3's: the environment, a profile, the role of the task or machine. So is another endpoint, for tests
and stand-ins: AWS_ENDPOINT_URL. The session is made anew for each target and tick, so that renewed ones are found.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.aws import errors
from drops.scaling.providers.base import ApplyRefused, BadLocator, Field, Missing, OutcomeUnclear, Provider

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
REGION = Field("region", gettext_noop("region"), gettext_noop("Such as eu-central-1."))
SHAPES = {
    "region": re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d{1,2}"),
    "cluster": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"),
    "service": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"),
    "function": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "alias": re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}"),
}


class Aws(Provider):
    """A target in one region of AWS."""

    credentials: ClassVar[str] = gettext_noop(
        "boto3's own: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment of the workers, a profile, or "
        "the role of the task or machine that they run on."
    )

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at the names. Raises: BadWhere."""
        faults = {
            field.name: _("Give the %(label)s by its name, not an address or ARN.") % {"label": _(field.label)}
            for field in cls.fields
            if (shape := SHAPES.get(field.name)) and not shape.fullmatch(text(locator, field.name))
        }
        if "region" in faults:
            faults["region"] = _("Give a region of AWS, such as eu-central-1.")
        if faults:
            raise BadLocator(faults)

    @property
    def region(self) -> str:
        """Name the region."""
        return text(self.locator, "region")

    @property
    @abstractmethod
    def display_name(self) -> str:
        """Say what it is, for the sentences of faults: "cluster shop"."""

    def call(self, service: str, operation: str, /, *, thing: str = "", **parameters: Any) -> dict[str, Any]:
        """Make one call, once. Raises: Faulty, with a sentence that says what to do."""
        about = {"service": service, "operation": operation, "region": self.region}
        extra = _extra()
        try:
            send = getattr(self._client(service), operation)
            with understood(operation):  # boto3's parsers may fail in any way at garbage
                answer: dict[str, Any] = send(**parameters)
        except extra.ClientError as error:
            raise errors.of_answer(error.response, thing=thing or self.display_name, **about) from error
        except extra.ResponseParserError as error:
            raise OutcomeUnclear(unreadable(operation)) from error
        except extra.BotoCoreError as error:
            raise errors.of_failure(error, known=lambda: self._is_known(service), **about) from error
        return answer

    def _client(self, service: str) -> Any:
        if service in self._clients:
            return self._clients[service]
        config = _extra().Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},  # the next tick asks again
            user_agent_extra="dropsite-scaling",
        )
        try:
            made = self._session.create_client(service, region_name=self.region, config=config)
        except ValueError as error:
            raise ApplyRefused(
                _("boto3 can't use AWS_ENDPOINT_URL or AWS_PROFILE as they are set: %(said)s.")
                % {"said": errors.shortened(str(error))}
            ) from error
        return self._clients.setdefault(service, made)

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _session(self) -> Any:
        session = _extra().Session()
        session.register_component("data_loader", _models())
        return session

    def _is_known(self, service: str) -> bool:
        session = self._session
        return any(
            self.region in session.get_available_regions(service, partition)
            for partition in session.get_available_partitions()
        )


def _extra() -> SimpleNamespace:
    """Give what is needed of boto3, which is botocore's. Raises: Missing."""
    try:
        from botocore.config import Config  # noqa: PLC0415 an extra
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 an extra
        from botocore.parsers import ResponseParserError  # noqa: PLC0415 an extra
        from botocore.session import Session  # noqa: PLC0415 an extra
    except ImportError as error:
        raise Missing(_('boto3 is not installed. Install the extra "aws": deploy/requirements/aws.txt.')) from error
    return SimpleNamespace(
        Session=Session,
        Config=Config,
        BotoCoreError=BotoCoreError,
        ClientError=ClientError,
        ResponseParserError=ResponseParserError,
    )


@cache
def _models() -> Any:
    """Keep the services' descriptions: reading them anew costs 0.1 s of CPU for each target and tick."""
    return _extra().Session().get_component("data_loader")


def text(locator: Mapping[str, Any], name: str) -> str:
    """Give one of `locator`'s words, without the blanks around it; empty if it is none."""
    value = locator.get(name)
    return value.strip() if isinstance(value, str) else ""


def request_id(answer: Mapping[str, Any]) -> str:
    """Give the number under which AWS finds the call."""
    return str((answer.get("ResponseMetadata") or {}).get("RequestId") or "")[:100]


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Read an answer within; what lacks what it must have is garbage. Raises: Unknown."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OutcomeUnclear(unreadable(what)) from error


def unreadable(what: str) -> str:
    """Say that an answer is garbage."""
    return _(
        "What AWS answered to %(what)s can't be read. It is asked again; look whether AWS_ENDPOINT_URL is meant."
    ) % {"what": what}
