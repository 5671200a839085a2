"""The provisioned concurrency of a Lambda function's alias. 0 means that none is configured.

It counts against the account's concurrency (1,000 unless raised), and is billed in steps of five minutes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from drops.scaling.providers.aws.client import REGION, AwsProvider, locator_text, parsing, request_id
from drops.scaling.providers.aws.errors import NotConfigured, shortened
from drops.scaling.providers.base import Applied, ApplyRefused, Field, Reading, State


class LambdaConcurrency(AwsProvider):
    """`locator`: {"region", "function", "alias"}. State: {"concurrency": n}."""

    name: ClassVar[str] = "AWS Lambda provisioned concurrency"
    unit: ClassVar[str] = "environments"
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("function", "function", "Its name."),
        Field("alias", "alias", "It must point to a published version, and callers must use it."),
    )
    lead_seconds: ClassVar[int] = 300
    price_key: ClassVar[str] = "lambda"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return region, function and alias."""
        region, function, alias = (locator_text(locator, name) for name in ("region", "function", "alias"))
        return f"aws:lambda:{region}:{function}:{alias}"

    @property
    def display_name(self) -> str:
        """What the alias is called in messages."""
        return f"alias {locator_text(self.locator, 'alias')} of function {locator_text(self.locator, 'function')}"

    def read(self) -> Reading:
        """Read the provisioned concurrency, and how much of it is ready."""
        self._check_alias()
        config = self._read_config()
        if config is None:
            return Reading(state={"concurrency": 0}, size=0, serving=0, message="nothing is provisioned")
        with parsing("GetProvisionedConcurrencyConfig"):
            desired = int(config["RequestedProvisionedConcurrentExecutions"])
            ready = int(config["AvailableProvisionedConcurrentExecutions"])
            status = config["Status"]
            message = f"{ready} of {desired} environments are ready"
            if status == "FAILED":
                reason = shortened(str(config.get("StatusReason")))
                message += f". Lambda gave up: {reason}. Fix the cause, then set the same number again"
            return Reading(
                state={"concurrency": desired},
                size=desired,
                serving=ready,
                moving=status != "READY",
                message=message,
            )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return that concurrency, but never less than the baseline's."""
        return {"concurrency": max(size, baseline["concurrency"])}

    def apply(self, state: State, *, key: str) -> Applied:
        """Set the concurrency; 0 deletes the configuration."""
        concurrency = state["concurrency"]
        if concurrency:
            response = self.call(
                "lambda",
                "put_provisioned_concurrency_config",
                ProvisionedConcurrentExecutions=concurrency,
                **self._alias_parameters,
            )
        else:
            response = self.call("lambda", "delete_provisioned_concurrency_config", **self._alias_parameters)
        return Applied(request_id=request_id(response), message=self.format_size(concurrency))

    @property
    def _alias_parameters(self) -> dict[str, str]:
        return {
            "FunctionName": locator_text(self.locator, "function"),
            "Qualifier": locator_text(self.locator, "alias"),
        }

    def _check_alias(self) -> None:
        """Raise ApplyRefused if there is no such alias, or it points to what can't be provisioned."""
        function, alias = locator_text(self.locator, "function"), locator_text(self.locator, "alias")
        response = self.call("lambda", "get_alias", FunctionName=function, Name=alias)
        with parsing("GetAlias"):
            if response["FunctionVersion"] == "$LATEST":
                raise ApplyRefused(
                    f"The {self.display_name} points to $LATEST, which can't be provisioned. Point it to a"
                    " published version."
                )

    def _read_config(self) -> dict[str, Any] | None:
        """Return the configuration; None if there is none, which Lambda reports as an error."""
        try:
            return self.call("lambda", "get_provisioned_concurrency_config", **self._alias_parameters)
        except NotConfigured:
            return None
