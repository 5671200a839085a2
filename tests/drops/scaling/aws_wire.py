"""AWS's protocols, as far as the stand-in of AWS speaks them: requests to parameters, answers to bytes.

The shapes are botocore's own models, so that what is answered is what boto3 expects.
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
class Asked:
    """A call as it came: to which service, which operation, in which protocol, with what."""

    service: str
    operation: str
    protocol: str
    given: dict[str, Any]
    region: str


@dataclass
class Answer:
    """What goes back."""

    status: int
    kind: str
    body: bytes
    error: str = ""


def parse(*, method: str, path: str, headers: Any, body: bytes) -> Asked:
    """Read a request of one of the three protocols."""
    # AWS4-HMAC-SHA256 Credential=KEY/20261124/eu-central-1/ecs/aws4_request, …
    region = headers.get("Authorization", "///").split("/")[2]
    at, operation_target = urlsplit(path), headers.get("X-Amz-Target", "")
    if operation_target:
        prefix, operation = operation_target.split(".")
        return Asked(TARGETS[prefix], operation, "json", json.loads(body or b"{}"), region)
    words = [unquote(word) for word in at.path.split("/") if word]
    if "functions" in words:
        given = {"FunctionName": words[2]} | {name: value[0] for name, value in parse_qs(at.query).items()}
        given |= json.loads(body or b"{}") | ({"Name": words[4]} if len(words) > 4 else {})
        return Asked("lambda", LAMBDA[method, words[3]], "rest-json", given, region)
    form = {name: value[0] for name, value in parse_qs(body.decode()).items()}
    service = "elbv2" if form["Version"].startswith("2015") else "rds"
    return Asked(service, form["Action"], "query", form, region)


def answer(asked: Asked, result: dict[str, Any], *, number: int) -> Answer:
    """Write what an operation gives."""
    shape = MODELS.get_service_model(asked.service).operation_model(asked.operation).output_shape
    if asked.protocol == "query":
        inner = members(shape, result)
        text = (
            f"<{asked.operation}Response><{asked.operation}Result>{inner}</{asked.operation}Result>"
            f"<ResponseMetadata><RequestId>request-{number}</RequestId></ResponseMetadata></{asked.operation}Response>"
        )
        return Answer(200, "text/xml", text.encode())
    status = {"Put": 202, "Del": 204}.get(asked.operation[:3], 200)
    return Answer(status, "application/json", json.dumps(result).encode() if status != 204 else b"")


def error(asked: Asked, code: str, said: str, status: int) -> Answer:
    """Write an error."""
    if asked.protocol == "query":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(said)}</Message></Error></ErrorResponse>"
        return Answer(status, "text/xml", text.encode())
    return Answer(status, "application/json", json.dumps({"__type": code, "message": said}).encode(), error=code)


def members(shape: Any, value: dict[str, Any]) -> str:
    """Write a structure's members as XML."""
    return "".join(
        element(shape.members[name], one, shape.members[name].serialization.get("name", name))
        for name, one in value.items()
        if one is not None
    )


def element(shape: Any, value: Any, tag: str) -> str:
    """Write one XML element."""
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
