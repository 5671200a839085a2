"""What all AWS providers share: checking a locator, and calls with short time-outs and no retries.

Credentials are boto3's: the environment, a profile, the role of the task or machine. So is AWS_ENDPOINT_URL,
which tests and stand-ins use. Each target has a new session at each tick, so that renewed credentials are
found.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

from drops.scaling.providers.aws import errors
from drops.scaling.providers.base import (
    ApplyRefused,
    BadLocator,
    ExtraNotInstalled,
    Field,
    OutcomeUnclear,
    Provider,
)

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
REGION = Field("region", "region", "Such as eu-central-1.")
PATTERNS = {
    "region": re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d{1,2}"),
    "cluster": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"),
    "service": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"),
    "function": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "alias": re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}"),  # digits only would be a version
}


class AwsProvider(Provider):
    """A target in one region of AWS."""

    credentials: ClassVar[str] = (
        "boto3's own: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment of the workers, a"
        " profile, or the role of the task or machine that they run on."
    )

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check the names. Raises BadLocator."""
        faults: dict[str, str] = {}
        for field in cls.fields:
            pattern = PATTERNS.get(field.name)
            if pattern and not pattern.fullmatch(locator_text(locator, field.name)):
                faults[field.name] = f"Enter the name of the {field.label}, not an address or ARN."
        if "region" in faults:
            faults["region"] = "Enter an AWS region, such as eu-central-1."
        if faults:
            raise BadLocator(faults)

    @property
    def region(self) -> str:
        """The region's name."""
        return locator_text(self.locator, "region")

    @property
    @abstractmethod
    def display_name(self) -> str:
        """What the target is called in messages: "ECS service shop/web"."""

    def call(
        self, service: str, operation: str, /, *, resource_name: str = "", **parameters: Any
    ) -> dict[str, Any]:
        """Make one call, once, and return its response.

        Raises ProviderError with a sentence that says what to do.
        """
        context = {"service": service, "operation": operation, "region": self.region}
        botocore = _botocore()
        try:
            method = getattr(self._client(service), operation)
            # boto3's parsers may raise almost anything at an unreadable response.
            with parsing(operation):
                response: dict[str, Any] = method(**parameters)
        except botocore.ClientError as error:
            name = resource_name or self.display_name
            raise errors.from_response(error.response, resource=name, **context) from error
        except botocore.ResponseParserError as error:
            raise OutcomeUnclear(unreadable_message(operation)) from error
        except botocore.BotoCoreError as error:
            raise errors.from_exception(
                error, region_exists=lambda: self._region_exists(service), **context
            ) from error
        return response

    def _client(self, service: str) -> Any:
        """Return boto3's client of a service, created at its first use."""
        if service in self._clients:
            return self._clients[service]
        config = _botocore().Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},  # the next tick tries again
            user_agent_extra="dropsite-scaling",
        )
        try:
            client = self._session.create_client(service, region_name=self.region, config=config)
        except ValueError as error:
            raise ApplyRefused(
                "boto3 can't use AWS_ENDPOINT_URL or AWS_PROFILE as they are set:"
                f" {errors.shortened(str(error))}. Correct them."
            ) from error
        return self._clients.setdefault(service, client)

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _session(self) -> Any:
        session = _botocore().Session()
        session.register_component("data_loader", _data_loader())
        return session

    def _region_exists(self, service: str) -> bool:
        session = self._session
        return any(
            self.region in session.get_available_regions(service, partition)
            for partition in session.get_available_partitions()
        )


def _botocore() -> SimpleNamespace:
    """Return the parts of botocore, boto3's core, that are used here. Raises ExtraNotInstalled."""
    try:
        from botocore.config import Config  # noqa: PLC0415 an extra
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 an extra
        from botocore.parsers import ResponseParserError  # noqa: PLC0415 an extra
        from botocore.session import Session  # noqa: PLC0415 an extra
    except ImportError as error:
        raise ExtraNotInstalled(
            'boto3 is not installed. Install the extra "aws": deploy/requirements/aws.txt.'
        ) from error
    return SimpleNamespace(
        Session=Session,
        Config=Config,
        BotoCoreError=BotoCoreError,
        ClientError=ClientError,
        ResponseParserError=ResponseParserError,
    )


@cache
def _data_loader() -> Any:
    """Return the descriptions of AWS's services, loaded once: that costs 0.1 s of CPU."""
    return _botocore().Session().get_component("data_loader")


def locator_text(locator: Mapping[str, Any], name: str) -> str:
    """Return one field of the locator, stripped; empty if it isn't text."""
    value = locator.get(name)
    return value.strip() if isinstance(value, str) else ""


def request_id(response: Mapping[str, Any]) -> str:
    """Return the id by which AWS finds the call."""
    return str((response.get("ResponseMetadata") or {}).get("RequestId") or "")[:100]


@contextmanager
def parsing(operation: str) -> Iterator[None]:
    """Parse a response in this block. Raises OutcomeUnclear if something is missing or of the wrong type."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OutcomeUnclear(unreadable_message(operation)) from error


def unreadable_message(operation: str) -> str:
    """Return the sentence for an unreadable response."""
    return (
        f"AWS's response to {operation} can't be read. It will be tried again; if this persists, check"
        " whether AWS_ENDPOINT_URL should be set."
    )
