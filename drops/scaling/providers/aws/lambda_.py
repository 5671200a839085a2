"""A Lambda function's provisioned concurrency on an alias. None at all is 0, and 0 is how it is given back.

It counts against the account's concurrency (1,000 unless raised) and is billed in steps of five minutes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.aws.client import REGION, Aws, request_id, text, understood
from drops.scaling.providers.aws.errors import Nothing, shortened
from drops.scaling.providers.base import Applied, ApplyRefused, Field, Reading, State


class LambdaConcurrency(Aws):
    """`locator`: {"region", "function", "alias"}. State: {"concurrency": n}."""

    name: ClassVar[str] = gettext_noop("AWS Lambda provisioned concurrency")
    unit: ClassVar[str] = gettext_noop("environments")
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("function", gettext_noop("function"), gettext_noop("Its name.")),
        Field("alias", gettext_noop("alias"), gettext_noop("It must point at a version, and callers must call it.")),
    )
    lead_seconds: ClassVar[int] = 300
    price_key: ClassVar[str] = "lambda"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name region, function and alias."""
        return f"aws:lambda:{text(locator, 'region')}:{text(locator, 'function')}:{text(locator, 'alias')}"

    @property
    def display_name(self) -> str:
        """Say which alias of which function."""
        return _("alias %(alias)s of function %(name)s") % {
            "alias": text(self.locator, "alias"),
            "name": text(self.locator, "function"),
        }

    def read(self) -> Reading:
        """Read what is provisioned, and how much of it is there."""
        self._look_at_the_alias()
        answer = self._config()
        with understood("GetProvisionedConcurrencyConfig"):
            if answer is None:
                return Reading(state={"concurrency": 0}, size=0, serving=0, message=_("nothing is provisioned"))
            wanted = int(answer["RequestedProvisionedConcurrentExecutions"])
            there = int(answer["AvailableProvisionedConcurrentExecutions"])
            status = answer["Status"]
            words = _("%(there)s of %(wanted)s environments are there") % {"there": there, "wanted": wanted}
            if status == "FAILED":
                words += _(". Lambda gave up: %(said)s. Mend that, and set the same number again") % {
                    "said": shortened(str(answer.get("StatusReason")))
                }
            return Reading(
                state={"concurrency": wanted},
                size=wanted,
                serving=there,
                moving=status != "READY",
                message=words,
            )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for that many, and for no fewer than were there."""
        return {"concurrency": max(size, baseline["concurrency"])}

    def apply(self, state: State, *, key: str) -> Applied:
        """Set the number; 0 takes the configuration away."""
        number, names = state["concurrency"], self._names
        if number:
            put = {"ProvisionedConcurrentExecutions": number}
            answer = self.call("lambda", "put_provisioned_concurrency_config", **names, **put)
        else:
            answer = self.call("lambda", "delete_provisioned_concurrency_config", **names)
        return Applied(request_id=request_id(answer), message=self.format_size(number))

    @property
    def _names(self) -> dict[str, str]:
        return {"FunctionName": text(self.locator, "function"), "Qualifier": text(self.locator, "alias")}

    def _look_at_the_alias(self) -> None:
        """Raises: Refused, if there is no such alias, or it points at what can't be provisioned."""
        function, alias = text(self.locator, "function"), text(self.locator, "alias")
        answer = self.call("lambda", "get_alias", FunctionName=function, Name=alias)
        with understood("GetAlias"):
            if answer["FunctionVersion"] == "$LATEST":
                raise ApplyRefused(
                    _("The %(thing)s points at $LATEST, which can't be provisioned. Point it at a published version.")
                    % {"thing": self.display_name}
                )

    def _config(self) -> dict[str, Any] | None:
        """Read the configuration; None: there is none, which AWS answers as an error."""
        try:
            return self.call("lambda", "get_provisioned_concurrency_config", **self._names)
        except Nothing:
            return None
