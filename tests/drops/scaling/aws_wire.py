"""AWS's protocols, as far as the stand-in needs them: requests to parameters, results to responses.

The shapes are botocore's own models, so that the responses are those that boto3 expects.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import botocore.session

MODELS = botocore.session.get_session()
TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AnyScaleFrontendService": "application-autoscaling",
    "GraniteServiceVersion20100801": "cloudwatch",
}
LAMBDA = {
    ("GET", "aliases"): "GetAlias",
    ("GET", "provisioned-concurrency"): "GetProvisionedConcurrencyConfig",
    ("PUT", "provisioned-concurrency"): "PutProvisionedConcurrencyConfig",
    ("DELETE", "provisioned-concurrency"): "DeleteProvisionedConcurrencyConfig",
}


@dataclass
class Request:
    """A call: to which service and operation, in which protocol, with which parameters."""

    service: str
    operation: str
    protocol: str
    parameters: dict[str, Any]
    region: str


@dataclass
class Response:
    """A response, before it is written to the connection."""

    status: int
    content_type: str
    body: bytes
    error: str = ""


def parse(*, method: str, path: str, headers: Any, body: bytes) -> Request:
    """Parse a request of one of the three protocols."""
    # AWS4-HMAC-SHA256 Credential=KEY/20261124/eu-central-1/ecs/aws4_request, …
    region = headers.get("Authorization", "///").split("/")[2]
    at, operation_target = urlsplit(path), headers.get("X-Amz-Target", "")
    if operation_target:
        prefix, operation = operation_target.split(".")
        return Request(TARGETS[prefix], operation, "json", json.loads(body or b"{}"), region)
    parts = [unquote(part) for part in at.path.split("/") if part]
    if "functions" in parts:
        parameters = {"FunctionName": parts[2]} | {
            name: value[0] for name, value in parse_qs(at.query).items()
        }
        parameters |= json.loads(body or b"{}") | ({"Name": parts[4]} if len(parts) > 4 else {})
        return Request("lambda", LAMBDA[method, parts[3]], "rest-json", parameters, region)
    form = {name: value[0] for name, value in parse_qs(body.decode()).items()}
    service = "elbv2" if form["Version"].startswith("2015") else "rds"
    return Request(service, form["Action"], "query", form, region)


def success(request: Request, result: dict[str, Any], *, number: int) -> Response:
    """Return the response with an operation's result."""
    shape = MODELS.get_service_model(request.service).operation_model(request.operation).output_shape
    if request.protocol == "query":
        inner = members(shape, result)
        name = request.operation
        text = (
            f"<{name}Response><{name}Result>{inner}</{name}Result><ResponseMetadata>"
            f"<RequestId>request-{number}</RequestId></ResponseMetadata></{name}Response>"
        )
        return Response(200, "text/xml", text.encode())
    status = {"Put": 202, "Del": 204}.get(request.operation[:3], 200)
    return Response(status, "application/json", json.dumps(result).encode() if status != 204 else b"")


def error(request: Request, code: str, message: str, status: int) -> Response:
    """Return an error response."""
    if request.protocol == "query":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
        return Response(status, "text/xml", text.encode())
    return Response(
        status, "application/json", json.dumps({"__type": code, "message": message}).encode(), error=code
    )


def members(shape: Any, value: dict[str, Any]) -> str:
    """Return a structure's members as XML."""
    return "".join(
        element(shape.members[name], one, shape.members[name].serialization.get("name", name))
        for name, one in value.items()
        if one is not None
    )


def element(shape: Any, value: Any, tag: str) -> str:
    """Return one XML element."""
    if shape.type_name == "structure":
        inner = members(shape, value)
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        inner = "".join(element(shape.member, one, name) for one in value)
    elif shape.type_name == "boolean":
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"
